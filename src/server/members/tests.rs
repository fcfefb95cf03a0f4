//! Who is reached by a broadcast, and who is among the members.

use super::*;
use crate::http::Request;
use crate::outbox::leader_queue::LeaderQueue;
use crate::testing::{self, Sent};

fn members() -> Arc<Members> {
    let collector = Collector::new(LeaderQueue::new(None));
    Members::new(collector, Arc::default())
}

fn connection() -> (Connection, Sent) {
    let request = Request::parse(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    testing::connection(request)
}

#[test]
fn broadcasts_reach_those_that_are_announced_until_they_leave() {
    let members = members();
    let ((first, to_first), (second, to_second)) = (connection(), connection());
    let joined = [members.join(&first), members.join(&second)];
    let prepared = Prepared::new("hello");
    assert_eq!(members.broadcast(&prepared, None).sent, 0);
    members.announce(&first);
    members.announce(&second);
    assert_eq!(members.broadcast(&prepared, None).sent, 2);
    assert_eq!(members.broadcast(&prepared, Some(&first)).sent, 1);
    assert_eq!(members.announced(), [first.clone(), second.clone()]);
    assert_eq!(to_first.take_messages().len(), 1);
    assert_eq!(to_second.take_messages().len(), 2);
    drop(joined);
    assert_eq!(members.broadcast(&prepared, None), Broadcast::default());
    assert!(members.everyone().is_empty());
}

#[test]
fn who_has_not_been_announced_is_closed_with_the_others() {
    let members = members();
    let (connection, _sent) = connection();
    let _joined = members.join(&connection);
    members.for_everyone(|outbox| outbox.abort());
    assert!(connection.send("too late").is_err());
    assert!(members.announced().is_empty());
    members.announce(&connection);
    assert_eq!(members.everyone(), [connection]);
}
