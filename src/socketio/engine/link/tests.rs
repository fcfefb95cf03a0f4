//! Threads at one session: what one hears while the other sends, and what requests find.

use super::*;
use crate::server::Promise;
use crate::socketio::Limits;
use crate::tests::wait_until;
use crate::{Accept, panics, testing};

#[test]
fn word_of_room_that_comes_before_a_refusal_is_noted_counts() {
    let sessions = Sessions::new(&Limits::default());
    let request = Request::parse(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let (connection, sent) = testing::accepted(request.clone(), Accept::new());
    let link = SessionLink::new("sid".to_owned(), request, Some(&connection), &sessions);
    link.see_to(&sessions);
    sent.take_messages();
    // A thread sends: the connection has refused, and the thread has not noted that yet.
    lock(&link.state).is_driven = true;
    link.drained(&connection, &sessions);
    let part = Part::of_message("news".into());
    let refused = QueuedPacket::group(&[part]).next().unwrap();
    link.refused(&connection, refused, &sessions);
    lock(&link.state).is_driven = false;
    link.see_to(&sessions);
    assert_eq!(sent.take_messages(), [Message::from("4news")]);
}

/// A bug in what one session does must not cost another, nor this one what comes after it.
#[test]
fn behind_a_panic_another_thread_does_what_the_session_puts_out() {
    let (sessions, link) = session(Limits::default());
    link.get(&sessions); // the handshake
    let waiting = link.get(&sessions);
    let promise = waiting.pending::<Promise>().unwrap();
    promise.slot().wait(Box::new(|| panic!("on purpose")));
    let part = Part::of_message("news".into());
    let sends = || link.send(std::slice::from_ref(&part), &sessions);
    assert!(panics::catch(sends).is_err());
    link.end(DisconnectReason::TransportError, &sessions);
    assert!(matches!(sessions.next_told(), Some(Task::Ended(..))));
    assert_eq!(sessions.count(), 0, "its place is free");
}

/// As where the thread of the timer panics, which has just taken its deadline down.
#[test]
fn behind_a_panic_the_timer_looks_at_the_session() {
    let (sessions, link) = session(Limits::default());
    link.get(&sessions); // the handshake
    let waiting = link.get(&sessions);
    let promise = waiting.pending::<Promise>().unwrap();
    promise.slot().wait(Box::new(|| panic!("on purpose")));
    let ends = || link.end(DisconnectReason::TransportError, &sessions);
    assert!(panics::catch(ends).is_err());
    for link in sessions.timer.take_due(sessions.now()) {
        link.see_to_time(&sessions);
    }
    assert!(matches!(sessions.next_told(), Some(Task::Ended(..))));
    assert_eq!(sessions.count(), 0);
}

fn session(limits: Limits) -> (Arc<Sessions>, Arc<SessionLink>) {
    let sessions = Sessions::new(&limits);
    let head = b"GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let link = sessions.open(Request::parse(head).unwrap(), None).unwrap();
    assert!(matches!(sessions.next_told(), Some(Task::Opened(..))));
    (sessions, link)
}

#[test]
fn a_get_that_comes_when_the_one_before_is_due_takes_its_place() {
    let (sessions, link) = session(Limits {
        // The first poll comes before it is due, on a busy machine, too.
        ping_interval: Duration::from_secs(2),
        ..Limits::default()
    });
    link.get(&sessions); // the handshake
    let _first = link.get(&sessions);
    wait_until("the ping is due", || {
        lock(&link.state).session.deadline().unwrap() <= sessions.now()
    });
    // Nothing keeps deadlines here: the ping leaves with this.
    let _second = link.get(&sessions);
    let state = lock(&link.state);
    assert!(state.session.is_open());
    assert!(
        state.session.is_writable(&[]),
        "it waits for the next message"
    );
    assert!(state.parked.is_some(), "and gets it");
}

#[test]
fn a_shutdown_is_told_of_every_session_and_lets_none_begin_behind_it() {
    let (sessions, _link) = session(Limits::default());
    let head = b"GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let request = Request::parse(head).unwrap();
    sessions.shut_down();
    assert!(matches!(sessions.next_told(), Some(Task::Ended(..))));
    assert!(sessions.open(request, None).is_err());
    assert_eq!(sessions.count(), 0);
    assert!(sessions.next_told().is_none());
}
