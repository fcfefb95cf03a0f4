use super::*;
use crate::connection::Connection;
use crate::http::Request;
use crate::socketio::{DisconnectReason, Limits};
use crate::testing::{Sent, connection};

const PATIENCE: Duration = Duration::from_secs(20);

/// A session over a WebSocket, whose deadlines come at once.
fn soon_due() -> (Arc<Sessions>, Connection, Sent) {
    let limits = Limits {
        ping_interval: Duration::from_millis(1),
        ping_timeout: Duration::from_millis(1),
        ..Limits::default()
    };
    let sessions = Sessions::new(&limits);
    let head = b"GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let request = Request::parse(head).unwrap();
    let (connection, sent) = connection(request.clone());
    let link = sessions.open(request, Some(&connection)).unwrap();
    link.see_to(&sessions);
    (sessions, connection, sent)
}

/// As a core of a machine showed, which looked again and again.
#[test]
fn a_pong_that_may_wait_for_the_application_is_looked_for_seldom() {
    let (sessions, _connection, _sent) = soon_due();
    let mut looks = 0;
    while sessions.now() < Duration::from_millis(100) {
        let now = sessions.now();
        for link in sessions.timer.take_due(now) {
            link.see_to_time(&sessions);
            looks += 1;
        }
    }
    assert!(looks < 10, "{looks}");
    let first = sessions.timer.first(&lock(&sessions.timer.state));
    assert!(first.is_some(), "it is looked for again");
}

/// As a server leaves it that was dropped amid its events: nobody takes the Close.
#[test]
fn a_session_whose_websocket_has_closed_keeps_no_thread_awake() {
    let (sessions, connection, _sent) = soon_due();
    connection.terminate();
    assert_eq!(connection.ready_state(), crate::ReadyState::Closed);
    let begun = sessions.now();
    while sessions.timer.first(&lock(&sessions.timer.state)).is_some() {
        let now = sessions.now();
        for link in sessions.timer.take_due(now) {
            link.see_to_time(&sessions);
        }
        let waited = sessions.now() - begun;
        assert!(waited < PATIENCE, "it is looked for again");
    }
    assert_eq!(sessions.count(), 1, "the next server ends it");
}

/// As a flood of clients that leave at once showed: each was remembered until its ping would have been due.
#[test]
fn a_session_has_one_deadline_and_none_once_it_is_over() {
    let sessions = Sessions::new(&Limits::default());
    let head = b"GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let link = sessions.open(Request::parse(head).unwrap(), None).unwrap();
    let deadlines = || lock(&sessions.timer.state).sessions.len();
    link.get(&sessions); // the handshake
    let ping = sessions.timer.first(&lock(&sessions.timer.state)).unwrap();
    link.post(b"4hello", false, &sessions);
    let _held = link.get(&sessions);
    let patience = sessions.timer.first(&lock(&sessions.timer.state)).unwrap();
    assert!(patience < ping, "a poll waits for the application");
    assert_eq!(deadlines(), 1);
    link.end(DisconnectReason::TransportError, &sessions);
    assert_eq!(deadlines(), 0);
    sessions.timer.note(&link, Duration::ZERO);
    assert_eq!(deadlines(), 0, "a thread that comes too late notes nothing");
}
