//! What the rooms of a cluster remember, for clients and servers that come later.

use std::ops::Range;
use std::thread;

use crate::support::cluster::{HEARTBEAT, Node};
use crate::support::wait_until;
use wshub::{Backplane, CatchUpError, Cluster, Local, PostId, Room};

fn join(posts: usize, backplane: impl Backplane) -> Node {
    let builder = Cluster::builder().heartbeat(HEARTBEAT).history(posts);
    Node::join_as(builder, backplane)
}

/// Posts that say their number; the room has the last of them when this returns.
fn post(room: &Room, numbers: Range<u32>) -> Vec<PostId> {
    let post = |number: u32| room.post(|_| number.to_string()).unwrap();
    let ids: Vec<_> = numbers.map(post).collect();
    wait_for(room, ids[ids.len() - 1]);
    ids
}

fn wait_for(room: &Room, id: PostId) {
    wait_until("the post has come", || {
        room.history(1).iter().any(|post| post.id == id)
    });
}

fn remembered(room: &Room, count: usize) -> Vec<String> {
    let posts = room.history(count).into_iter();
    posts
        .map(|post| post.message.as_text().unwrap().to_owned())
        .collect()
}

#[test]
fn a_client_that_comes_again_to_any_server_gets_what_it_missed() {
    let backplane = Local::new();
    let (one, two) = (join(10, backplane.clone()), join(10, backplane));
    one.joined(&two);
    two.joined(&one);
    let (here, there) = (one.cluster.group("news"), two.cluster.group("news"));
    let (mut client, connection) = one.client();
    here.join(&connection);
    here.post(|id| id.to_string()).unwrap();
    let last = client.read_text();
    drop(client);

    let posted = post(&here, 1..3);
    wait_for(&there, posted[1]);
    let (mut again, connection) = two.client();
    let missed = there.catch_up(&connection, last.parse().unwrap());
    assert_eq!(missed, Ok(2));
    assert!(there.contains(&connection));
    assert_eq!(there.join_with_history(&connection, 10), Ok(0), "it is in");
    post(&here, 3..4);
    post(&there, 4..5);
    let got = [0; 4].map(|_| again.read_text());
    assert_eq!(got, ["1", "2", "3", "4"]);
}

#[test]
fn what_is_not_remembered_is_gone_and_told() {
    let node = join(5, Local::new());
    let room = node.cluster.group("news");
    let ids = post(&room, 0..10);
    let (mut client, connection) = node.client();
    let other = node.cluster.group("other");
    for (room, id) in [(&room, ids[4]), (&other, ids[9])] {
        assert_eq!(room.catch_up(&connection, id), Err(CatchUpError::Gone));
        assert!(!room.contains(&connection));
    }
    assert_eq!(room.join_with_history(&connection, 2), Ok(2));
    assert_eq!([client.read_text(), client.read_text()], ["8", "9"]);
    assert_eq!(remembered(&room, 100), ["5", "6", "7", "8", "9"]);
    assert_eq!(remembered(&other, 100), [""; 0]);
}

#[test]
fn without_a_history_posts_arrive_and_are_not_remembered() {
    let node = Node::join(Local::new());
    let room = node.cluster.group("news");
    let (mut client, connection) = node.client();
    assert_eq!(room.join_with_history(&connection, 10), Ok(0));
    let id = room.post(|_| "now").unwrap();
    assert_eq!(client.read_text(), "now");
    assert!(room.history(10).is_empty());
    room.leave(&connection);
    assert_eq!(room.catch_up(&connection, id), Err(CatchUpError::Gone));
}

#[test]
fn a_server_that_joins_later_remembers_what_was_posted_before() {
    let backplane = Local::new();
    let one = join(10, backplane.clone());
    let ids = post(&one.cluster.group("news"), 0..20);
    drop(one);
    let two = join(10, backplane);
    wait_until("it sees itself", || !two.cluster.nodes().is_empty());
    assert_eq!(two.cluster.nodes().len(), 1, "who has left is not there");
    let room = two.cluster.group("news");
    let (mut client, connection) = two.client();
    assert_eq!(room.catch_up(&connection, ids[17]), Ok(2));
    assert_eq!([client.read_text(), client.read_text()], ["18", "19"]);
}

/// Each of them gets every post from its first on, once and in order.
#[test]
fn clients_that_come_while_posts_come_miss_none() {
    const POSTS: u32 = 3000;
    let backplane = Local::new();
    let (one, two) = (join(100, backplane.clone()), join(100, backplane));
    one.joined(&two);
    let (here, there) = (one.cluster.group("news"), two.cluster.group("news"));
    thread::scope(|scope| {
        scope.spawn(|| post(&here, 0..POSTS));
        for _ in 0..20 {
            let (mut client, connection) = two.client();
            let sent = there.join_with_history(&connection, 10);
            // So much may come meanwhile that some of it is forgotten already.
            if sent == Err(CatchUpError::Gone) {
                continue;
            }
            scope.spawn(move || {
                let first: u32 = client.read_text().parse().unwrap();
                for number in first + 1..POSTS {
                    assert_eq!(client.read_text(), number.to_string());
                }
            });
        }
    });
}
