use super::*;

const NODE: NodeId = NodeId::new(1);

fn gap(missing: u64) -> ClusterEvent {
    ClusterEvent::Gap {
        node: NODE,
        missing,
    }
}

fn all(news: &mut News) -> Vec<ClusterEvent> {
    std::iter::from_fn(|| news.take()).collect()
}

fn message(text: &str) -> ClusterEvent {
    ClusterEvent::Message {
        node: NODE,
        message: text.into(),
    }
}

#[test]
fn gaps_that_follow_each_other_are_one() {
    let mut news = News::default();
    for event in [gap(1), gap(2), message("x"), gap(3)] {
        news.push(event);
    }
    assert_eq!(all(&mut news), [gap(3), message("x"), gap(3)]);
}

#[test]
fn what_finds_no_room_is_counted_and_told() {
    let mut news = News::default();
    for _ in 0..EVENTS {
        news.push(message("x"));
    }
    for event in [
        message("y"),
        gap(10),
        ClusterEvent::Unsent { messages: 3 },
        ClusterEvent::NodeJoined(NODE),
        ClusterEvent::Attached,
    ] {
        news.push(event);
    }
    let told = all(&mut news).split_off(EVENTS);
    assert_eq!(
        told,
        [
            gap(11),
            ClusterEvent::Unsent { messages: 3 },
            ClusterEvent::Untaken { events: 2 },
        ]
    );
}

#[test]
fn what_found_no_room_is_told_before_what_comes_later() {
    let mut news = News::default();
    for _ in 0..=EVENTS {
        news.push(message("x"));
    }
    // Half of the room is to be free.
    for _ in 1..EVENTS / 2 {
        assert_eq!(news.take(), Some(message("x")));
    }
    news.push(message("too early"));
    assert_eq!(news.take(), Some(message("x")));
    news.push(message("later"));
    let told = all(&mut news).split_off(EVENTS / 2);
    assert_eq!(told, [gap(2), message("later")]);
}

#[test]
fn an_application_that_is_too_slow_gets_messages_and_not_gaps_alone() {
    let mut news = News::default();
    let mut told = Vec::new();
    for _ in 0..10 * EVENTS {
        news.push(message("x"));
        news.push(message("x"));
        told.extend(news.take());
    }
    told.extend(all(&mut news));
    let messages = told.iter().filter(|it| **it == message("x")).count();
    assert!(messages > told.len() * 9 / 10, "{messages}");
    let missing = told.iter().map(|event| match event {
        ClusterEvent::Gap { missing, .. } => *missing,
        _ => 1,
    });
    assert_eq!(missing.sum::<u64>(), 20 * EVENTS as u64);
}

#[test]
fn messages_that_wait_are_bounded_in_bytes() {
    let mut news = News::default();
    let large = "x".repeat(BYTES);
    news.push(message(&large));
    news.push(message("x"));
    assert_eq!(all(&mut news), [message(&large), gap(1)]);
    news.push(message("x"));
    assert_eq!(all(&mut news), [message("x")]);
}

#[test]
fn attached_is_who_sends_and_hears_and_each_reason_is_told_once() {
    let mut news = News::default();
    let detached = |reason: &str| ClusterEvent::Detached {
        reason: reason.to_owned(),
    };
    assert!(news.set(BackplaneDirection::In, Err("absent")));
    assert!(
        !news.set(BackplaneDirection::In, Err("absent")),
        "it is told"
    );
    assert!(news.set(BackplaneDirection::In, Err("loading")));
    assert!(
        !news.set(BackplaneDirection::In, Err("absent")),
        "it is told"
    );
    assert!(!news.set(BackplaneDirection::In, Ok(())));
    assert!(!news.is_attached());
    assert!(news.set(BackplaneDirection::Out, Ok(())));
    assert!(!news.set(BackplaneDirection::Out, Ok(())));
    assert!(news.is_attached());
    assert!(news.set(BackplaneDirection::In, Err("gone")));
    assert!(
        !news.set(BackplaneDirection::In, Ok(())),
        "the other way is to be seen again"
    );
    assert!(news.set(BackplaneDirection::Out, Ok(())));
    assert!(news.set(BackplaneDirection::Out, Err("full")));
    assert_eq!(
        all(&mut news),
        [
            detached("absent"),
            detached("loading"),
            ClusterEvent::Attached,
            detached("gone"),
            ClusterEvent::Attached,
            detached("full"),
        ]
    );
}

#[test]
fn reasons_without_end_are_not_told_without_end() {
    let mut news = News::default();
    for number in 0..100 {
        news.set(BackplaneDirection::Out, Err(&number.to_string()));
    }
    assert_eq!(all(&mut news).len(), REASONS);
}
