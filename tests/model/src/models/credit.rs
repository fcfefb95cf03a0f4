//! The reader's credit: who waits for the application is woken, whatever the order.

use std::clock;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::connection::Connection;
use crate::handshake::Request;
use crate::limits::Limits;
use crate::message::Message;
use crate::server::inbox::{Batch, Inbox, Item, Messages};
use crate::testing;

fn inbox(total: usize, per_connection: usize) -> Arc<Inbox> {
    Arc::new(Inbox::new(&Limits {
        max_connections: 4,
        inbound_total: total,
        inbound_per_connection: per_connection,
        ..Limits::default()
    }))
}

fn connection() -> Connection {
    {
        let request = Request::parse(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        testing::connection(request.expect("a request")).0
    }
}

fn message(bytes: usize) -> Messages {
    let mut batch = Batch::default();
    batch.push_binary(&vec![0; bytes]);
    batch.finish().expect("a message")
}

fn reader(inbox: &Arc<Inbox>, count: usize, bytes: usize) -> thread::JoinHandle<usize> {
    let inbox = inbox.clone();
    thread::spawn(move || {
        let connection = connection();
        (0..count)
            .filter(|_| inbox.put_messages(&connection, message(bytes)).is_ok())
            .count()
    })
}

/// Takes one item, if there is one.
fn take(inbox: &Inbox, item: Item) {
    let Item::Messages(connection, messages) = item else {
        panic!("only messages are put in");
    };
    for _ in 0..messages.count() {
        inbox.taken();
    }
    inbox.give_back(&connection, messages.cost());
}

/// Readers beyond their own and the common bound wait, and are woken by the application alone: no message is lost.
pub fn readers_wait_and_are_woken() {
    const COUNT: usize = 3;
    let inbox = inbox(10, 8);
    let readers = [
        reader(&inbox, COUNT, 5),
        reader(&inbox, COUNT, 6),
        reader(&inbox, COUNT, 1),
    ];
    for _ in 0..3 * COUNT {
        take(&inbox, inbox.receiver().recv().expect("an item"));
    }
    for reader in readers {
        assert_eq!(reader.join().unwrap(), COUNT);
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
    let readers: Vec<_> = connections
        .iter()
        .map(|connection| {
            let (inbox, connection) = (inbox.clone(), connection.clone());
            thread::spawn(move || {
                let taken = (0..COUNT).map(|_| inbox.put_messages(&connection, message(5)).is_ok());
                let taken: Vec<bool> = taken.collect();
                assert!(
                    taken.is_sorted_by(|before, after| before >= after),
                    "a gap: {taken:?}"
                );
                taken.into_iter().filter(|taken| *taken).count()
            })
        })
        .collect();
    let application = thread::spawn({
        let inbox = inbox.clone();
        move || {
            let mut taken = 0;
            for _ in 0..2 {
                if let Ok(item) = inbox.receiver().try_recv() {
                    take(&inbox, item);
                    taken += 1;
                }
            }
            taken
        }
    });
    inbox.discard(|| connections.to_vec());
    let put: usize = readers
        .into_iter()
        .map(|reader| reader.join().unwrap())
        .sum();
    let taken = application.join().unwrap();
    assert_eq!(inbox.not_taken(), 2 * COUNT - taken, "{put} put in");
    assert_eq!(clock::passed(), Duration::ZERO);
}

/// Who waits until the application is done is woken when it is, not at the deadline.
pub fn waiting_until_taken_ends() {
    let inbox = inbox(10, 8);
    let connection = connection();
    let reader = thread::spawn({
        let (inbox, connection) = (inbox.clone(), connection.clone());
        move || {
            for _ in 0..3 {
                assert!(inbox.put_messages(&connection, message(3)).is_ok());
            }
            inbox.wait_until_taken(&connection, Instant::now() + Duration::from_secs(5));
        }
    });
    for _ in 0..3 {
        take(&inbox, inbox.receiver().recv().expect("an item"));
    }
    reader.join().unwrap();
    assert_eq!(clock::passed(), Duration::ZERO, "a wake-up was lost");
}
