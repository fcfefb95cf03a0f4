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
/// The guide: [events](crate::guide::events).
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// The opening handshake succeeded; from now on broadcasts reach the connection.
    Open(Connection),
    /// A whole message arrived.
    Message(Connection, Message),
    /// The connection ended, cleanly or not; its handle sends nothing more. Before it comes, what the
    /// application sends while it takes the peer's last messages goes out, for at most
    /// [`close_timeout`](crate::Limits::close_timeout): also to a peer that ended its direction of the
    /// stream right behind them, without a Close frame (1006).
    Close(Connection, CloseEvent),
    /// wshub had to give the connection up. It comes when that is decided, behind the messages that were
    /// read before. `Close` with code 1006 is the next event of this connection: while the peer is told,
    /// for at most [`close_timeout`](crate::Limits::close_timeout), nothing more of it is taken.
    Error(Connection, Error),
    /// There is room again for what [`Overflow::Refuse`](crate::Overflow::Refuse) refused to send: less than half of
    /// the bound waits. Once, however many sends were refused; under the other policies it never comes.
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

/// A tick of a fixed schedule: number n is due n intervals after the start, however late those before it were.
///
/// The guide: [events](crate::guide::events).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tick {
    /// Its number in the schedule, from 1; those that were missed are counted.
    pub number: u64,
    /// How many were due since the last one, and are not made up for, because the application was away for so long. So
    /// `missed + 1` intervals have passed.
    pub missed: u64,
}

impl Tick {
    /// A tick for a test of a handler.
    pub fn new(number: u64, missed: u64) -> Self {
        Tick { number, missed }
    }
}
