use super::*;

#[test]
fn who_leaves_tells_of_all_that_was_not_published() {
    let process = BridgeProcess::new("here".to_owned(), 10, Weak::new());
    let fits = SETTINGS.bounds.messages as u64;
    for _ in 0..fits + 3 {
        process.publish(b"{}".to_vec());
    }
    process.publish(b"longer than allowed".to_vec());
    assert_eq!(process.stats().unsent, 3 + 1);
    process.leave(Duration::ZERO);
    assert_eq!(process.stats().unsent, fits + 3 + 1);
    let told = std::iter::from_fn(|| process.port.take_event()).map(|event| match event {
        ClusterEvent::Unsent { messages } => messages,
        other => panic!("{other:?}"),
    });
    // What is too long the log tells.
    assert_eq!(told.sum::<u64>(), fits + 3);
}
