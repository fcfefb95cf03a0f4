//! Who is resumed when there is room again.

use std::sync::mpsc::{Receiver, channel};

use super::*;
use crate::handshake::Accept;
use crate::http::Request;
use crate::testing;

/// A connection without a thread.
fn led(budget: &Arc<Budget>, number: u32) -> Connection {
    let request = Request::parse(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let (connection, _) = testing::connection_within(budget.clone(), request, Accept::new());
    connection.account().set_parked(true);
    let token = Some(Token::from_number(number));
    connection.outbox().set_token(token);
    connection
}

struct Rig {
    budget: Arc<Budget>,
    resumed: Receiver<Token>,
    /// Waits for the application, and fills the budget.
    permit: Permit,
    /// The first has the permit; the others wait in line.
    connections: [Connection; 3],
}

impl Rig {
    fn new() -> Self {
        let limits = Limits {
            inbound_total: 8,
            ..Limits::default()
        };
        let (resume, resumed) = channel();
        let resume = std::sync::Mutex::new(resume);
        let budget = Budget::new(&limits, move |token| {
            let _ = resume.lock().unwrap().send(token);
        });
        let connections = [0, 1, 2].map(|number| led(&budget, number));
        let Ok(permit) = budget.charge(&connections[0], 8) else {
            panic!("there is room");
        };
        assert!(!budget.may_read(&connections[1]));
        assert!(!budget.may_read(&connections[2]));
        Rig {
            budget,
            resumed,
            permit,
            connections,
        }
    }
}

fn numbers(resumed: &Receiver<Token>) -> Vec<u32> {
    resumed.try_iter().map(Token::number).collect()
}

#[test]
fn b05_who_is_resumed_and_has_nothing_to_say_lets_the_next_go_on() {
    let rig = Rig::new();
    drop(rig.permit);
    assert_eq!(numbers(&rig.resumed), [1]);
    assert!(rig.budget.may_read(&rig.connections[1]));
    assert_eq!(numbers(&rig.resumed), [2]);
    assert!(rig.budget.may_read(&rig.connections[2]));
    assert!(numbers(&rig.resumed).is_empty());
    assert!(rig.connections.iter().all(|it| !it.account().is_waiting()));
    assert_eq!(rig.budget.used(), 0);
}

#[test]
fn b05_who_ends_in_line_lets_the_next_go_on() {
    let rig = Rig::new();
    rig.connections[1].outbox().set_token(None);
    drop(rig.permit);
    assert!(numbers(&rig.resumed).is_empty());
    rig.budget.leave_line(&rig.connections[1]);
    assert_eq!(numbers(&rig.resumed), [2]);
}
