//! What the application is told: open, message, close, error.

use crate::connection::{CloseEvent, Connection};
use crate::error::Error;
use crate::message::Message;

/// Something that happened to a connection, in the words of a browser's WebSocket.
///
/// Per connection: one `Open`; its messages in the order they were sent; at most one `Error`; exactly
/// one `Close`; nothing after. A failed opening handshake is no event: it is counted in
/// [`Server::stats`](crate::Server::stats) and logged.
///
/// ```
/// use wshub::{Event, Server};
///
/// fn on_event(server: &Server, event: Event) {
///     match event {
///         Event::Open(connection) => println!("{} came", connection.id()),
///         Event::Message(_, message) => drop(server.broadcast(message)),
///         Event::Close(connection, close) => println!("{} left: {}", connection.id(), close.code),
///         Event::Error(connection, error) => eprintln!("{}: {error}", connection.id()),
///         _ => {} // there may be more of them one day
///     }
/// }
/// ```
///
/// The guide: [events](crate::guide::events).
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// The opening handshake succeeded; from now on broadcasts reach the connection.
    Open(Connection),
    /// A whole message arrived.
    Message(Connection, Message),
    /// The connection ended, cleanly or not; its handle sends nothing more. Before that, what the application sends
    /// while it takes the peer's last messages goes out, for at most [`close_timeout`](crate::Limits::close_timeout).
    /// This also holds for a peer that ended its direction of the stream right after them, without a Close frame
    /// (1006).
    Close(Connection, CloseEvent),
    /// wshub had to give the connection up. It comes when that is decided, after the messages that were read before.
    /// The next event of this connection is `Close` with code 1006: the peer is told first, for at most
    /// [`close_timeout`](crate::Limits::close_timeout), and nothing more of it is taken.
    Error(Connection, Error),
    /// There is room again for what [`Overflow::Refuse`](crate::Overflow::Refuse) refused to send: less than half of
    /// the bound waits. It comes once, however many sends were refused. Under the other policies it never comes.
    Drained(Connection),
}

impl Event {
    /// The connection it happened to.
    pub fn connection(&self) -> &Connection {
        match self {
            Event::Open(connection)
            | Event::Message(connection, _)
            | Event::Close(connection, _)
            | Event::Error(connection, _)
            | Event::Drained(connection) => connection,
        }
    }
}

/// One step of a loop that takes events and keeps a schedule; see [`Events::tick`](crate::Events::tick).
///
/// ```no_run
/// use std::time::Duration;
/// use wshub::{Event, Server, Step};
///
/// let server = Server::bind("127.0.0.1:9001")?;
/// for step in server.events().tick(Duration::from_millis(20)) {
///     match step {
///         Step::Event(Event::Message(_, message)) => println!("{message:?}"),
///         Step::Tick(tick) => drop(server.broadcast(format!("frame {}", tick.number))),
///         _ => {}
///     }
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// The guide: [events](crate::guide::events).
#[derive(Debug)]
#[non_exhaustive]
pub enum Step {
    /// Something happened to a connection.
    Event(Event),
    /// The next tick is due.
    Tick(Tick),
    /// Another thread called [`ServerHandle::wake`](crate::ServerHandle::wake).
    Woken,
}

/// A tick of a fixed schedule: number n is due n intervals after the start, even if earlier ones were late.
///
/// ```
/// use wshub::Tick;
///
/// /// Moves a game on by a fiftieth of a second for each tick, also for those that were missed.
/// fn advance(time_ms: &mut u64, tick: Tick) {
///     *time_ms += 20 * (1 + tick.missed);
/// }
///
/// let mut time_ms = 0;
/// advance(&mut time_ms, Tick::new(0, 0));
/// advance(&mut time_ms, Tick::new(3, 2));
/// assert_eq!(time_ms, 80);
/// ```
///
/// The guide: [events](crate::guide::events).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tick {
    /// Its number in the schedule, from 1; missed ticks have numbers, too.
    pub number: u64,
    /// How many ticks were due since the last one and are left out, because the application was away. So `missed + 1`
    /// intervals have passed.
    pub missed: u64,
}

impl Tick {
    /// A tick for a test of a handler.
    pub fn new(number: u64, missed: u64) -> Self {
        Tick { number, missed }
    }
}
