//! Polls of servers that leave just then.
#![cfg(feature = "redis")]

use std::sync::Weak;
use std::thread;
use std::time::Instant;

use crate::socketio::operation::{Adapter, LocalTurn, Operation};
use crate::socketio::recovery::Audience;
use crate::socketio::{AckError, SocketIo};

use super::*;

const OTHER: u128 = 7;
const LONG: Duration = Duration::from_secs(3600);

/// Knows of a server that leaves while it is asked who is there.
struct Leaving(Weak<Core>);

impl Adapter for Leaving {
    fn publish(&self, _: &Operation) -> LocalTurn {
        LocalTurn::Now
    }

    fn others(&self) -> Vec<u128> {
        let core = self.0.clone();
        let leaves = thread::spawn(move || {
            if let Some(core) = core.upgrade() {
                core.end_polls_of(OTHER);
            }
        });
        // It waits for the poll, or has come too early for it.
        let begun = Instant::now();
        while !leaves.is_finished() && begun.elapsed() < Duration::from_millis(200) {
            thread::yield_now();
        }
        vec![OTHER]
    }

    fn fetch(&self, _: &str, _: &Audience, _: Duration) -> (Vec<String>, usize) {
        (Vec::new(), 0)
    }
}

#[test]
fn a_server_that_leaves_as_it_is_asked_is_not_waited_for() {
    let io = SocketIo::new(());
    let core = io.core.clone();
    let adapter = Leaving(Arc::downgrade(&core));
    assert!(core.adapter.set(Box::new(adapter)).is_ok());
    io.of("/").emit_with_ack("number?", (), LONG, |_| ());
    let begun = Instant::now();
    let (_, all) = loop {
        if let Some(done) = core.finished_poll(Duration::ZERO) {
            break done;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "it is waited for"
        );
        thread::yield_now();
    };
    assert_eq!(all.error, Some(AckError::Disconnected));
    assert_eq!((all.answers.len(), all.missing_servers), (0, 1));
}
