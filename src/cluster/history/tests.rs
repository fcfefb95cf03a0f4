use super::*;
use crate::cluster::NodeId;

fn id(number: u64) -> PostId {
    let node = NodeId::new(1);
    PostId { node, number }
}

/// With posts 1 to `count` of 100 bytes, in rooms in turn.
fn filled(bounds: HistoryBounds, rooms: &[&str], count: u64) -> History {
    let mut history = History::new(bounds);
    for (number, room) in (1..=count).zip(rooms.iter().cycle()) {
        history.push(
            room,
            Post {
                id: id(number),
                message: Message::from("x".repeat(100)),
            },
        );
    }
    history
}

fn numbers(missed: &Missed) -> Vec<u64> {
    missed.posts.iter().map(|post| post.id.number).collect()
}

const PLENTY: usize = 1 << 20;

#[test]
fn each_room_keeps_its_last_posts() {
    let bounds = HistoryBounds {
        posts: 3,
        bytes: PLENTY,
    };
    let history = filled(bounds, &["a", "b"], 10);
    assert_eq!(numbers(&history.last("a", 10)), [5, 7, 9]);
    assert_eq!(numbers(&history.last("b", 2)), [8, 10]);
    assert_eq!(numbers(&history.last("b", 0)), [0; 0]);
    assert_eq!(numbers(&history.last("c", 10)), [0; 0]);
    assert_eq!(numbers(&history.behind("a", id(5)).unwrap()), [7, 9]);
    assert_eq!(numbers(&history.behind("a", id(9)).unwrap()), [0; 0]);
    for (room, number) in [("a", 3), ("a", 4), ("a", 11), ("c", 5)] {
        assert_eq!(
            history.behind(room, id(number)).unwrap_err(),
            CatchUpError::Gone,
            "{room} {number}"
        );
    }
}

#[test]
fn of_all_rooms_the_oldest_posts_go_first() {
    let room = OVERHEAD + 1 + 100;
    let bounds = HistoryBounds {
        posts: 100,
        bytes: 4 * room,
    };
    let mut history = filled(bounds, &["a", "a", "b"], 6);
    assert_eq!(numbers(&history.last("a", 9)), [4, 5]);
    assert_eq!(numbers(&history.last("b", 9)), [3, 6]);
    assert_eq!(history.bytes, 4 * room);
    history.push(
        "c",
        Post {
            id: id(7),
            message: Message::from("x".repeat(10 * room)),
        },
    );
    assert!(history.rooms.is_empty() && history.order.is_empty());
    assert_eq!(history.bytes, 0);
}

#[test]
fn what_was_dropped_since_is_gone_and_not_left_out() {
    let bounds = HistoryBounds {
        posts: 2,
        bytes: PLENTY,
    };
    let history = filled(bounds, &["a"], 5);
    assert_eq!(numbers(&history.since("a", 3).unwrap()), [4, 5]);
    assert_eq!(numbers(&history.since("a", 5).unwrap()), [0; 0]);
    assert_eq!(history.since("a", 2).unwrap_err(), CatchUpError::Gone);
    assert_eq!(numbers(&history.since("b", 0).unwrap()), [0; 0]);
    let mut forgot = filled(bounds, &["a"], 5);
    forgot.forget();
    assert_eq!(forgot.since("a", 4).unwrap_err(), CatchUpError::Gone);
    assert_eq!(numbers(&forgot.since("a", 5).unwrap()), [0; 0]);
    let post = Post {
        id: id(6),
        message: Message::from(""),
    };
    forgot.push("a", post);
    assert_eq!(forgot.since("a", 4).unwrap_err(), CatchUpError::Gone);
    assert_eq!(numbers(&forgot.since("a", 5).unwrap()), [6]);
}

#[test]
fn without_bounds_nothing_is_kept() {
    let bounds = HistoryBounds { posts: 0, bytes: 0 };
    let history = filled(bounds, &["a"], 5);
    assert_eq!(numbers(&history.last("a", 9)), [0; 0]);
    assert_eq!(numbers(&history.since("a", 0).unwrap()), [0; 0]);
}
