//! One message to everybody. It goes down only: from here to the [`members`], to the [`run`] where it may wait once for
//! all of them, and to each Outbox, a [`member`] of that. The [`collector`] says how long it waits.

pub(crate) mod collector;
mod member;
mod members;
mod run;

use std::sync::Arc;

pub(crate) use collector::Collector;
pub(super) use member::Member;

use super::Outbox;
use super::queue::COLLECT;
use crate::error::SendErrorKind;
use crate::message::Prepared;

/// Whom a broadcast goes to.
type Reached = Arc<[Arc<Outbox>]>;

/// What a broadcast did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Broadcast {
    /// Connections that took the message.
    pub sent: usize,
    /// Connections for which it was dropped: their peers read too slowly.
    pub dropped: usize,
}

impl Broadcast {
    /// Sends to each of them.
    pub(crate) fn to<'a>(
        outboxes: impl Iterator<Item = &'a Arc<Outbox>>,
        send: impl Fn(&'a Arc<Outbox>) -> Result<(), SendErrorKind>,
    ) -> Self {
        let mut done = Broadcast::default();
        Outbox::for_each(outboxes, |outbox| match send(outbox) {
            Ok(()) => done.sent += 1,
            Err(SendErrorKind::Closed) => {}
            Err(_) => done.dropped += 1,
        });
        done
    }
}

impl Collector {
    /// Sends one encoded message to all members but `except`.
    pub fn broadcast(
        self: &Arc<Self>,
        message: &Prepared,
        except: Option<&Arc<Outbox>>,
    ) -> Broadcast {
        match self.collect(message, except) {
            Ok(sent) => Broadcast { sent, dropped: 0 },
            Err(reached) => {
                let excepted = |member| except.is_some_and(|except| Arc::ptr_eq(member, except));
                let others = reached.iter().filter(|&member| !excepted(member));
                Broadcast::to(others, |member| member.send_uncounted(message))
            }
        }
    }

    /// Adds it to the run, and says how many of the members it goes to; gives them where it has to go to each by
    /// itself.
    fn collect(
        self: &Arc<Self>,
        message: &Prepared,
        except: Option<&Arc<Outbox>>,
    ) -> Result<usize, Reached> {
        if !self.is_active_here() || message.frame().len() >= COLLECT / 4 {
            return Err(self.run.reached());
        }
        let push = || self.run.push(message);
        let (pushed, passed_over) = match except {
            Some(except) => except.pass_over(self, push),
            None => (push(), false),
        };
        let pushed = pushed?;
        self.hold_run(pushed.bytes);
        Ok(pushed.members - usize::from(passed_over))
    }
}
