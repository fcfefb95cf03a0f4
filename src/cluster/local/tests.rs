use std::thread;

use super::*;

/// Else it would wait for as long as it was told to, though its node has left.
#[test]
fn a_node_that_publishes_nothing_more_need_not_be_told_so_by_a_frame() {
    let local = Local::new();
    let (publisher, _subscriber) = local.clone().split();
    let queue = Arc::new(NodeQueue::default());
    lock(&local.0).queues.push(Arc::downgrade(&queue));
    let long = Duration::from_secs(60);
    let begun = Instant::now();
    let waiting = thread::spawn(move || queue.take(long));
    drop(publisher);
    assert!(waiting.join().unwrap().is_empty());
    assert!(begun.elapsed() < long);
}
