//! The reader's credit: who waits for the application is woken, whatever the order.

use std::check::choose;
use std::clock;
use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::connection::Connection;
use crate::connection::credit::Budget;
use crate::handshake::Accept;
use crate::http::Request;
use crate::limits::Limits;
use crate::poller::{Mailbox, Poller, Token};
use crate::protocol::receive::MessageRef;
use crate::server::batch::{Batch, Messages};
use crate::server::inbox::{Inbox, InboxItem};
use crate::server::leader::mail::Mail;
use crate::testing;

fn inbox(total: usize, per_connection: usize) -> Arc<Inbox> {
    let poller = Poller::<()>::new().expect("a poller");
    inbox_with(total, per_connection, &poller, Arc::new(Mailbox::new(None)))
}

fn inbox_with(
    total: usize,
    per_connection: usize,
    poller: &Poller<()>,
    mailbox: Arc<Mailbox<Mail>>,
) -> Arc<Inbox> {
    let limits = Limits {
        max_connections: 4,
        inbound_total: total,
        inbound_per_connection: per_connection,
        ..Limits::default()
    };
    let resume = move |token| mailbox.put(|mail| mail.resumed.push(token));
    let budget = Budget::new(&limits, resume);
    Arc::new(Inbox::new(budget, poller.bell().clone(), Arc::default()))
}

fn connection(inbox: &Inbox) -> Connection {
    let request = Request::parse(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let request = request.expect("a request");
    testing::connection_within(inbox.budget.clone(), request, Accept::new()).0
}

/// One that begins with its number.
fn message(number: usize, bytes: usize) -> Messages {
    let mut payload = vec![0; bytes];
    payload[0] = number as u8;
    let mut batch = Batch::default();
    batch.push(MessageRef::Binary(&payload), 0);
    batch.finish().expect("a message")
}

/// A connection's thread, which puts `count` messages in.
fn reader(inbox: &Arc<Inbox>, of: &Connection, count: usize, bytes: usize) -> JoinHandle<()> {
    let (inbox, connection) = (inbox.clone(), of.clone());
    thread::spawn(move || {
        for number in 0..count {
            inbox.put_messages(&connection, message(number, bytes));
            inbox.budget.wait_to_read(&connection, None);
        }
    })
}

/// The application takes an item: whose it was, and the number of its message.
fn take(inbox: &Inbox, item: InboxItem) -> (Connection, usize) {
    let InboxItem::Messages(permit, mut messages) = item else {
        panic!("only messages are put in");
    };
    let message = messages.next().expect("a message");
    inbox.taken(1);
    (
        permit.connection().clone(),
        usize::from(message.as_bytes()[0]),
    )
}

/// Readers beyond their own and the common bound wait, and are woken by the application alone: no message is lost.
pub fn readers_wait_and_are_woken() {
    const COUNT: usize = 3;
    let inbox = inbox(10, 8);
    let readers = [5, 6, 1].map(|bytes| reader(&inbox, &connection(&inbox), COUNT, bytes));
    for _ in 0..3 * COUNT {
        take(&inbox, inbox.wait(None, || false).expect("an item"));
    }
    for reader in readers {
        reader.join().unwrap();
    }
    assert_eq!(inbox.budget.used(), 0);
    assert_eq!(inbox.not_taken(), 0);
    assert_eq!(clock::passed(), Duration::ZERO);
}

/// A shutdown lets every reader go, and every message is in the channel or counted; what is in has no gap.
pub fn discard_lets_every_reader_go() {
    const COUNT: usize = 4;
    let inbox = inbox(10, 8);
    let connections = [connection(&inbox), connection(&inbox)];
    let readers = [0, 1].map(|at: usize| reader(&inbox, &connections[at], COUNT, 5));
    let application = thread::spawn({
        let inbox = inbox.clone();
        move || {
            let items = (0..2).filter_map(|_| inbox.take());
            items.map(|item| take(&inbox, item)).collect::<Vec<_>>()
        }
    });
    inbox.budget.close(|| connections.to_vec());
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

/// A connection's thread, which puts three messages in, and waits until the application is done with them.
fn reader_to_the_end(inbox: &Arc<Inbox>, of: &Connection, bytes: usize) -> JoinHandle<()> {
    let (inbox, connection) = (inbox.clone(), of.clone());
    thread::spawn(move || {
        for number in 0..3 {
            inbox.put_messages(&connection, message(number, bytes));
        }
        let deadline = Instant::now() + Duration::from_secs(5);
        inbox.budget.wait_until_settled(&connection, deadline);
    })
}

/// The application that wants no more of a connection lets its reader go, wherever that waits.
pub fn a_dismissal_lets_the_reader_go() {
    let inbox = inbox(10, 8);
    let connection = connection(&inbox);
    let reader = reader_to_the_end(&inbox, &connection, 5);
    connection.terminate();
    reader.join().unwrap();
    while let Some(item) = inbox.take() {
        take(&inbox, item);
    }
    assert_eq!(
        (inbox.budget.used(), inbox.not_taken(), inbox.lost()),
        (0, 0, 0)
    );
    assert_eq!(clock::passed(), Duration::ZERO, "a wake-up was lost");
}

/// Who waits until the application is done is woken when it is, not at the deadline.
pub fn waiting_until_taken_ends() {
    let inbox = inbox(10, 8);
    let connection = connection(&inbox);
    let reader = reader_to_the_end(&inbox, &connection, 3);
    for _ in 0..3 {
        take(&inbox, inbox.wait(None, || false).expect("an item"));
    }
    reader.join().unwrap();
    assert_eq!(clock::passed(), Duration::ZERO, "a wake-up was lost");
}

/// A connection without a thread: what it does in its turns.
struct Led {
    connection: Connection,
    role: Role,
    done: bool,
}

#[derive(Clone, Copy)]
enum Role {
    /// It gives so many messages of so many bytes, then waits until they are taken.
    Talks(usize, usize),
    /// It has nothing to say once it may.
    Listens,
    /// It ends once it waits for credit.
    Ends,
}

impl Led {
    fn new(inbox: &Inbox, role: Role) -> Self {
        Led {
            connection: connection(inbox),
            role,
            done: false,
        }
    }

    /// True if it has more to do at once.
    fn turn(&mut self, inbox: &Inbox) -> bool {
        let budget = &inbox.budget;
        match self.role {
            Role::Talks(0, _) => self.done = budget.is_settled(&self.connection),
            Role::Talks(left, bytes) => {
                if budget.may_read(&self.connection) {
                    let item = inbox.charge(&self.connection, message(left, bytes));
                    inbox.put(item.expect("nobody shuts down"));
                    self.role = Role::Talks(left - 1, bytes);
                    return true;
                }
            }
            Role::Listens => self.done = budget.may_read(&self.connection),
            Role::Ends => {
                if !budget.may_read(&self.connection) {
                    self.connection.outbox().set_token(None);
                    budget.leave_line(&self.connection);
                }
                self.done = true;
            }
        }
        false
    }
}

/// Leads them until they are done; they are ready once.
fn lead(mut poller: Poller<()>, mailbox: Arc<Mailbox<Mail>>, inbox: Arc<Inbox>, mut led: Vec<Led>) {
    let mut ready: VecDeque<usize> = (0..led.len()).collect();
    for (led, number) in led.iter().zip(0..) {
        led.connection.account().set_parked(true);
        let token = Some(Token::from_number(number));
        led.connection.outbox().set_token(token);
    }
    while led.iter().any(|led| !led.done) {
        while let Some(at) = ready.pop_front() {
            if led[at].turn(&inbox) {
                ready.push_back(at);
            }
        }
        let done = led.iter().all(|led| led.done);
        poller.wait(None, &mut Vec::new(), || !mailbox.is_full() && !done);
        let resumed = mailbox.open(|mail| mem::take(&mut mail.resumed));
        ready.extend(resumed.iter().map(|token| token.number() as usize));
    }
}

/// Connections without a thread wait for credit, and until all is taken, and are resumed: whoever has nothing to say or
/// ends meanwhile keeps it from nobody.
pub fn who_is_led_is_resumed() {
    const COUNT: usize = 3;
    let roles = [
        Role::Talks(COUNT, 50),
        Role::Listens,
        Role::Talks(COUNT, 60),
        Role::Ends,
        Role::Talks(COUNT, 10),
    ];
    let poller = Poller::new().expect("a poller");
    let mailbox = Arc::new(Mailbox::new(Some(poller.bell().clone())));
    let inbox = inbox_with(300, 150, &poller, mailbox.clone());
    let led = roles.into_iter().map(|role| Led::new(&inbox, role));
    let mut led: Vec<Led> = led.collect();
    led.rotate_left(choose(5) as usize);
    let leader = thread::spawn({
        let inbox = inbox.clone();
        move || lead(poller, mailbox, inbox, led)
    });
    for _ in 0..3 * COUNT {
        take(&inbox, inbox.wait(None, || false).expect("an item"));
    }
    leader.join().unwrap();
    assert_eq!(inbox.budget.used(), 0);
    assert_eq!(inbox.not_taken(), 0);
    assert_eq!(clock::passed(), Duration::ZERO);
}

/// A connection that the leader has read gets a thread while the application is done with one message after the other:
/// the thread waits for the credit of the last, and is woken.
pub fn credit_comes_back_amid_a_hand_over() {
    let inbox = inbox(100, 8);
    let connection = connection(&inbox);
    connection.account().set_parked(true);
    connection.outbox().set_token(Some(Token::from_number(0)));
    for number in 0..2 {
        let item = inbox.charge(&connection, message(number, 4));
        inbox.put(item.expect("nobody shuts down"));
    }
    let thread = thread::spawn({
        let (inbox, connection) = (inbox.clone(), connection.clone());
        move || {
            connection.outbox().set_token(None);
            connection.account().set_parked(false);
            inbox.put_messages(&connection, message(2, 8));
        }
    });
    for number in 0..3 {
        let taken = take(&inbox, inbox.wait(None, || false).expect("an item"));
        assert_eq!(taken.1, number);
    }
    thread.join().unwrap();
    assert_eq!(inbox.budget.used(), 0);
    assert_eq!(clock::passed(), Duration::ZERO);
}
