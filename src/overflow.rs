//! The policy for a peer that does not read, as a user chooses it. What it does is in the Outbox.

/// What happens when a peer does not read: more than
/// [`outbound_per_connection`](crate::Limits::outbound_per_connection) bytes wait for it, or a frame waits for longer
/// than [`write_timeout`](crate::Limits::write_timeout), or little address space is left (`ulimit -v`). Control frames
/// are never dropped, and no policy cuts a frame that is partly written. A peer that reads faster than
/// [`min_rate`](crate::Limits::min_rate) is given the time that a long message takes.
///
/// With `Disconnect` and `Refuse` a peer that asks faster than it listens is slowed down before that: while more than
/// about half of the bound waits for it, it is not read from, so TCP holds back what it sends. Its clocks for pongs and
/// for messages under way stand still then, and `write_timeout` goes on. With the other two a peer may stay slow for
/// ever, and is always read from. This does not slow down what the application sends on its own, a feed or a broadcast:
/// there the policy decides, or [`Connection::send_timeout`](crate::Connection::send_timeout) waits.
///
/// ```no_run
/// use wshub::{Overflow, Server};
///
/// // A live feed: a peer that is slow gets the latest, and misses what lies between.
/// let server = Server::builder().overflow(Overflow::DropOldest).bind("127.0.0.1:9001")?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// The guide: [slow peers and large data](crate::guide::slow_peers).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overflow {
    /// Give the connection up: what waits is dropped, and the application sees `Error(SlowConsumer)` at
    /// once. Close 1013 is sent if the peer takes it in time; `Close` 1006 follows when that is decided,
    /// at most [`close_timeout`](crate::Limits::close_timeout) later. The default: a client that connects again
    /// knows that it missed something.
    #[default]
    Disconnect,
    /// Drop what is sent now: `send` returns it.
    DropNewest,
    /// Drop what has waited longest: for live data, where only the latest counts. The newest message
    /// is kept always: beside one that is partly written it may wait beyond the bound.
    DropOldest,
    /// Refuse what is sent now: `send` gives it back with [`SendErrorKind::Full`](crate::SendErrorKind::Full), nothing
    /// is dropped, and the connection goes on. [`Event::Drained`](crate::Event::Drained) comes once when less than half
    /// of the bound waits, and there is room for what was refused: for a download that must lose nothing. A peer that
    /// takes nothing for `write_timeout` is given up as with `Disconnect`. A broadcast goes to the connections that
    /// have room; the others count as [`dropped`](crate::Broadcast::dropped).
    ///
    /// ```
    /// use wshub::{Connection, Event, Overflow, SendErrorKind, Server};
    ///
    /// /// Sends what there is room for; true when all of it went.
    /// fn go_on(connection: &Connection, rest: &mut dyn Iterator<Item = Vec<u8>>, back: &mut Option<Vec<u8>>) -> bool {
    ///     while let Some(chunk) = back.take().or_else(|| rest.next()) {
    ///         if let Err(error) = connection.send(chunk) {
    ///             if error.kind() == SendErrorKind::Full {
    ///                 *back = Some(error.into_message().into_bytes()); // `Drained` follows
    ///             }
    ///             return false;
    ///         }
    ///     }
    ///     true
    /// }
    ///
    /// let server = Server::builder().overflow(Overflow::Refuse).bind("127.0.0.1:0")?;
    /// # server.handle().shutdown();
    /// let mut chunks = std::iter::repeat_n(vec![7; 64 << 10], 1000); // 64 MB, of which a little is in memory
    /// let mut back = None;
    /// for event in server.events() {
    ///     if let Event::Open(connection) | Event::Drained(connection) = event {
    ///         go_on(&connection, &mut chunks, &mut back);
    ///     }
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    Refuse,
}

impl Overflow {
    /// Whether messages are dropped for a peer that may stay slow.
    pub(crate) fn drops(self) -> bool {
        matches!(self, Overflow::DropNewest | Overflow::DropOldest)
    }

    /// Whether messages may be missing from what the peer gets, while others come after them.
    pub(crate) fn leaves_gaps(self) -> bool {
        self != Overflow::Disconnect
    }
}
