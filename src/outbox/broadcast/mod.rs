//! One message to everybody. It goes down only: from the [`collector`], which says how long it waits, to the
//! [`members`], to the [`run`](super::run) where it may wait once for all of them, and to each Outbox, a
//! [`member`](super::member) of that. No Outbox knows what is here.

pub(crate) mod collector;
mod members;

use std::sync::Arc;

pub(crate) use collector::Collector;

use super::{Outbox, for_each};
use crate::error::SendErrorKind;

/// The members that a broadcast goes to.
type Reached = Arc<[Arc<Outbox>]>;

/// How many connections a broadcast reached.
///
/// ```
/// use wshub::Server;
///
/// let server = Server::builder().without_listener()?;
/// let broadcast = server.broadcast("anybody here?");
/// assert_eq!((broadcast.sent, broadcast.dropped), (0, 0));
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// The guide: [slow peers and large data](crate::guide::slow_peers).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Broadcast {
    /// Connections that took the message.
    pub sent: usize,
    /// Connections for which the message was dropped, because their peers read too slowly.
    pub dropped: usize,
}

impl Broadcast {
    /// Sends to each of them.
    pub(crate) fn to<'a>(
        outboxes: impl Iterator<Item = &'a Arc<Outbox>>,
        send: impl Fn(&'a Arc<Outbox>) -> Result<(), SendErrorKind>,
    ) -> Self {
        let mut done = Broadcast::default();
        for_each(outboxes, |outbox| match send(outbox) {
            Ok(()) => done.sent += 1,
            Err(SendErrorKind::Closed) => {}
            Err(_) => done.dropped += 1,
        });
        done
    }
}
