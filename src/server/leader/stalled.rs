//! The Outbox of a connection that has a thread of its own, while its peer does not read.

use std::sync::Arc;
use std::time::Instant;

use crate::outbox::Outbox;
use crate::poller::{Next, Source, Waker};
use crate::transport::Transport;
use crate::transport::clock::ClockAlarm;

pub(crate) struct Stalled {
    outbox: Arc<Outbox>,
    /// Keeps what is watched open.
    transport: Arc<dyn Transport>,
    /// For a stream that the system cannot watch: the stream itself says when there is room.
    waker: Option<Waker>,
    /// For a stream whose deadlines run on the clock of a test.
    alarm: Option<ClockAlarm>,
}

impl Stalled {
    /// `None`: the connection has ended.
    pub fn new(outbox: Arc<Outbox>, waker: &Waker) -> Option<Self> {
        let transport = outbox.transport()?;
        let alarm = transport.clock().map(|clock| clock.alarm(waker));
        let waker = transport.source().is_none().then(|| waker.clone());
        Some(Stalled {
            outbox,
            transport,
            waker,
            alarm,
        })
    }

    pub fn outbox(&self) -> &Arc<Outbox> {
        &self.outbox
    }

    pub fn source(&self) -> Option<Source<'_>> {
        self.transport.source()
    }

    pub fn is_unwatched(&self) -> bool {
        self.waker.is_some()
    }

    /// Writes what the stream takes.
    pub fn write(&mut self, now: Instant) -> Next {
        let now = self.alarm.as_ref().map_or(now, |alarm| alarm.clock().now());
        let Some(pending) = self.outbox.service(now) else {
            return Next::Gone;
        };
        if let (true, Some(waker)) = (pending.wants_write, &self.waker) {
            self.transport.wake_when_writable(waker);
        }
        let deadline = match &self.alarm {
            None => pending.deadline,
            Some(alarm) => {
                alarm.set(pending.deadline);
                pending.deadline.map(|at| alarm.clock().to_system(at))
            }
        };
        Next::Wait(deadline)
    }
}
