//! The reader's credit: who waits for the application is woken, whatever the order.

use std::clock;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::connection::Connection;
use crate::http::Request;
use crate::limits::Limits;
use crate::poller::Mailbox;
use crate::server::inbox::{Batch, Inbox, Item, Messages};
use crate::testing;

fn inbox(total: usize, per_connection: usize) -> Arc<Inbox> {
    let limits = Limits {
        max_connections: 4,
        inbound_total: total,
        inbound_per_connection: per_connection,
        ..Limits::default()
    };
    Arc::new(Inbox::new(&limits, Arc::new(Mailbox::new(None))))
}

fn connection() -> Connection {
    let request = Request::parse(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    testing::connection(request.expect("a request")).0
}

/// One that begins with its number.
fn message(number: usize, bytes: usize) -> Messages {
    let mut payload = vec![0; bytes];
    payload[0] = number as u8;
    let mut batch = Batch::default();
    batch.push_binary(&payload, 0);
    batch.finish().expect("a message")
}

/// A connection's thread, which puts `count` messages in.
fn reader(inbox: &Arc<Inbox>, of: &Connection, count: usize, bytes: usize) -> JoinHandle<()> {
    let (inbox, connection) = (inbox.clone(), of.clone());
    thread::spawn(move || {
        for number in 0..count {
            inbox.put_messages(&connection, message(number, bytes));
        }
    })
}

/// The application takes an item: whose it was, and the number of its message.
fn take(inbox: &Inbox, item: Item) -> (Connection, usize) {
    let Item::Messages(connection, mut messages) = item else {
        panic!("only messages are put in");
    };
    let cost = messages.cost();
    let message = messages.next().expect("a message");
    inbox.taken(1);
    inbox.give_back(&connection, cost);
    (connection, usize::from(message.as_bytes()[0]))
}

/// Readers beyond their own and the common bound wait, and are woken by the application alone: no message is lost.
pub fn readers_wait_and_are_woken() {
    const COUNT: usize = 3;
    let inbox = inbox(10, 8);
    let readers = [5, 6, 1].map(|bytes| reader(&inbox, &connection(), COUNT, bytes));
    for _ in 0..3 * COUNT {
        take(&inbox, inbox.wait(None, || false).expect("an item"));
    }
    for reader in readers {
        reader.join().unwrap();
    }
    assert_eq!(inbox.used(), 0);
    assert_eq!(inbox.not_taken(), 0);
    assert_eq!(clock::passed(), Duration::ZERO);
}

/// A shutdown lets every reader go, and every message is in the channel or counted; what is in has no gap.
pub fn discard_lets_every_reader_go() {
    const COUNT: usize = 4;
    let inbox = inbox(10, 8);
    let connections = [connection(), connection()];
    let readers = [0, 1].map(|at: usize| reader(&inbox, &connections[at], COUNT, 5));
    let application = thread::spawn({
        let inbox = inbox.clone();
        move || {
            let items = (0..2).filter_map(|_| inbox.take());
            items.map(|item| take(&inbox, item)).collect::<Vec<_>>()
        }
    });
    inbox.discard(|| connections.to_vec());
    for reader in readers {
        reader.join().unwrap();
    }
    let mut taken = application.join().unwrap();
    assert_eq!(inbox.not_taken() + inbox.lost(), 2 * COUNT - taken.len());
    while let Some(item) = inbox.take() {
        taken.push(take(&inbox, item));
    }
    for connection in &connections {
        let own = taken.iter().filter(|(whose, _)| whose == connection);
        let own: Vec<usize> = own.map(|(_, number)| *number).collect();
        assert!(own.iter().copied().eq(0..own.len()), "a gap: {own:?}");
    }
    assert_eq!(clock::passed(), Duration::ZERO);
}

/// The application that wants no more of a connection lets its reader go, wherever that waits.
pub fn a_dismissal_lets_the_reader_go() {
    let inbox = inbox(10, 8);
    let connection = connection();
    let reader = thread::spawn({
        let (inbox, connection) = (inbox.clone(), connection.clone());
        move || {
            for number in 0..3 {
                inbox.put_messages(&connection, message(number, 5));
            }
            inbox.wait_until_taken(&connection, Instant::now() + Duration::from_secs(5));
        }
    });
    connection.terminate();
    reader.join().unwrap();
    while let Some(item) = inbox.take() {
        take(&inbox, item);
    }
    assert_eq!((inbox.used(), inbox.not_taken(), inbox.lost()), (0, 0, 0));
    assert_eq!(clock::passed(), Duration::ZERO, "a wake-up was lost");
}

/// Who waits until the application is done is woken when it is, not at the deadline.
pub fn waiting_until_taken_ends() {
    let inbox = inbox(10, 8);
    let connection = connection();
    let reader = thread::spawn({
        let (inbox, connection) = (inbox.clone(), connection.clone());
        move || {
            for number in 0..3 {
                inbox.put_messages(&connection, message(number, 3));
            }
            inbox.wait_until_taken(&connection, Instant::now() + Duration::from_secs(5));
        }
    });
    for _ in 0..3 {
        take(&inbox, inbox.wait(None, || false).expect("an item"));
    }
    reader.join().unwrap();
    assert_eq!(clock::passed(), Duration::ZERO, "a wake-up was lost");
}
