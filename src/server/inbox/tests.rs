//! What a batch of messages holds, and how much room it takes; who is resumed when there is room again.

use super::*;
use crate::http::Request;
use crate::poller::Token;
use crate::testing;

#[test]
fn a_batch_gives_its_messages_in_order_and_counts_those_left() {
    let mut batch = Batch::default();
    for n in 0..100 {
        match n % 3 {
            0 => batch.push_binary(&[n], 10),
            _ => batch.push_text(&n.to_string(), 10),
        }
    }
    let Some(mut messages) = batch.finish() else {
        panic!()
    };
    for n in 0..100u8 {
        assert_eq!(messages.left(), 100 - usize::from(n));
        let expected = match n % 3 {
            0 => Message::from(&[n]),
            _ => n.to_string().into(),
        };
        assert_eq!(messages.next(), Some(expected));
    }
    assert_eq!((messages.next(), messages.left()), (None, 0));
}

/// Credit counts bytes: the room that was made for what followed must not wait with them.
#[test]
fn f06_a_short_message_before_a_long_one_waits_in_little_room() {
    for count in [1, 2] {
        let mut batch = Batch::default();
        for _ in 0..count {
            batch.push_text("short", 60_000);
            batch.push_binary(b"short", 60_000);
        }
        assert!(batch.text.capacity() > 60_000 && batch.binary.capacity() > 60_000);
        batch.give_room_back();
        assert!(batch.text.capacity() <= 20 && batch.binary.capacity() <= 20);
    }
}

/// A connection without a thread.
fn led(number: u32) -> Connection {
    let request = Request::parse(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let (connection, _) = testing::connection(request);
    connection.account().set_parked(true);
    let token = Some(Token::from_number(number));
    connection.outbox().set_token(token);
    connection
}

/// Full with one message of the first of three connections; the others wait in line.
fn full() -> (Inbox, Arc<Mailbox<Mail>>, [Connection; 3]) {
    let mailbox = Arc::new(Mailbox::new(None));
    let limits = Limits {
        inbound_total: 8,
        ..Limits::default()
    };
    let inbox = Inbox::new(&limits, mailbox.clone());
    let connections = [led(0), led(1), led(2)];
    let mut batch = Batch::default();
    batch.push_text("12345678", 0);
    let messages = batch.finish().unwrap();
    inbox.put_read(Item::Messages(connections[0].clone(), messages));
    assert!(!inbox.has_credit(&connections[1]));
    assert!(!inbox.has_credit(&connections[2]));
    (inbox, mailbox, connections)
}

fn take(inbox: &Inbox) {
    let Some(Item::Messages(connection, messages)) = inbox.take() else {
        panic!("a message");
    };
    inbox.give_back(&connection, messages.cost());
}

fn resumed(mailbox: &Mailbox<Mail>) -> Vec<u32> {
    let resumed = mailbox.open(|mail| std::mem::take(&mut mail.resumed));
    resumed.into_iter().map(Token::number).collect()
}

#[test]
fn b05_who_is_resumed_and_has_nothing_to_say_lets_the_next_go_on() {
    let (inbox, mailbox, connections) = full();
    take(&inbox);
    assert_eq!(resumed(&mailbox), [1]);
    assert!(inbox.has_credit(&connections[1]));
    assert_eq!(resumed(&mailbox), [2]);
    assert!(inbox.has_credit(&connections[2]));
    assert!(resumed(&mailbox).is_empty());
    assert!(connections.iter().all(|it| !it.account().is_waiting()));
}

#[test]
fn b05_who_ends_in_line_lets_the_next_go_on() {
    let (inbox, mailbox, connections) = full();
    connections[1].outbox().set_token(None);
    take(&inbox);
    assert!(resumed(&mailbox).is_empty());
    inbox.leave_line(&connections[1]);
    assert_eq!(resumed(&mailbox), [2]);
}
