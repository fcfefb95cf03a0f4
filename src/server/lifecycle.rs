//! How far a server is with its end, and what has to end before it.

use std::sync::atomic::{AtomicU8, Ordering::SeqCst};
use std::sync::{Arc, Condvar};
use std::time::Instant;

use super::inbox::{Inbox, InboxItem};
use crate::lock::{Guard, Mutex, PRESENCE, lock};
use crate::patience::Grace;
use crate::poller::Bell;
use crate::protocol::close::CloseCode;
use crate::transport::{How, Transport};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Phase {
    Running,
    /// No connection is accepted any more, and the open ones close one after the other.
    Draining,
    /// No connection opens any more, and those that are open close.
    Closing,
    /// Everything has ended, or is cut off: nothing begins any more.
    Ending,
    /// The events end, even if connections are left.
    Ended,
    /// Every wait is over: what is left is held by the user's code.
    Done,
}

pub(crate) struct Lifecycle {
    /// The process that the server was started in.
    process: u32,
    phase: AtomicU8,
    participants: Mutex<Participants, PRESENCE>,
    /// A participant has left, or there is another phase.
    changed: Condvar,
    inbox: Arc<Inbox>,
    /// Wakes the accept loop, which ends with the running.
    accept_bell: Option<Arc<Bell>>,
}

#[derive(Default)]
struct Participants {
    /// How many there are of each kind.
    counts: [usize; 4],
    /// The events have their end, because nothing is left that could give another.
    silent: bool,
    /// The end began with a drain.
    drained: bool,
}

impl Participants {
    fn is_empty(&self) -> bool {
        self.counts == [0; 4]
    }
}

/// What has to end before the server.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Participant {
    AcceptLoop,
    /// A stream, from before its first byte to when nothing of it is left.
    Stream,
    /// A stream that may give events: from before its 101 to its end.
    Connection,
    /// A stream that holds no thread. It leaves together with its stream or after it: before it, a thread would seem to
    /// be busy with that stream.
    Parked,
}

impl Participant {
    /// The last phase in which one may come.
    fn last_phase(self) -> Phase {
        match self {
            Participant::AcceptLoop => Phase::Running,
            Participant::Connection => Phase::Draining,
            Participant::Stream => Phase::Closing,
            Participant::Parked => Phase::Done,
        }
    }
}

/// A participant is there until this is dropped.
pub(crate) struct Presence {
    lifecycle: Arc<Lifecycle>,
    /// One bit for each kind of participant: a connection is there as several.
    who: u8,
}

impl Presence {
    /// Both presences in one, which leave together.
    pub fn with(mut self, mut other: Presence) -> Presence {
        self.who |= std::mem::take(&mut other.who);
        self
    }

    /// Is there as this kind, too, from now on, unless it comes too late.
    pub fn join(&mut self, who: Participant) {
        if let Some(mut other) = self.lifecycle.register(who) {
            self.who |= std::mem::take(&mut other.who);
        }
    }

    /// Leaves as this kind, and stays as the others.
    pub fn part(&mut self, who: Participant) {
        let who = self.who & 1 << who as u8;
        self.who &= !who;
        drop(Presence {
            lifecycle: self.lifecycle.clone(),
            who,
        });
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        if self.who == 0 {
            return;
        }
        let mut participants = self.lifecycle.participants();
        for (who, count) in participants.counts.iter_mut().enumerate() {
            *count -= usize::from(self.who >> who & 1);
        }
        drop(participants);
        self.lifecycle.note_change();
    }
}

impl Lifecycle {
    pub fn new(inbox: Arc<Inbox>, accept_bell: Option<Arc<Bell>>) -> Arc<Self> {
        Arc::new(Lifecycle {
            process: std::process::id(),
            phase: AtomicU8::new(Phase::Running as u8),
            participants: Mutex::default(),
            changed: Condvar::new(),
            inbox,
            accept_bell,
        })
    }

    /// True in a process that was forked off after the start: it has the sockets and none of the threads. The clients
    /// belong to the process that goes on.
    pub fn is_of_another_process(&self) -> bool {
        self.process != std::process::id()
    }

    pub fn is_draining(&self) -> bool {
        self.has_reached(Phase::Draining)
    }

    /// What connections are told at the end.
    pub fn close_code(&self) -> CloseCode {
        match self.participants().drained {
            true => CloseCode::SERVICE_RESTART,
            false => CloseCode::GOING_AWAY,
        }
    }

    pub fn is_closing(&self) -> bool {
        self.has_reached(Phase::Closing)
    }

    pub fn is_ending(&self) -> bool {
        self.has_reached(Phase::Ending)
    }

    /// For who is about to read from a stream. The shutdown has woken, or cut off, those that were read from when it
    /// began: this one may come later.
    pub fn wake_late(&self, transport: &dyn Transport) {
        // prevents: a late handshake is not woken
        if self.is_closing() {
            transport.shutdown(match self.is_ending() {
                true => How::Reset,
                false => How::Read,
            });
        }
    }

    pub fn is_done(&self) -> bool {
        self.has_reached(Phase::Done)
    }

    fn has_reached(&self, phase: Phase) -> bool {
        self.phase.load(SeqCst) >= phase as u8
    }

    /// False if the server was in this phase, or a later one, already.
    pub fn enter(&self, phase: Phase) -> bool {
        // Under the lock: a participant that comes later sees the new phase, and the thread that waits is woken.
        let mut participants = self.participants();
        let entered = self.phase.fetch_max(phase as u8, SeqCst) < phase as u8;
        participants.drained |= entered && phase == Phase::Draining;
        drop(participants);
        self.note_change();
        if entered && matches!(phase, Phase::Draining | Phase::Closing) {
            self.accept_bell.iter().for_each(|bell| bell.ring());
        }
        entered
    }

    /// The events end although connections are left: the application gets a Close for each that is open. The last
    /// participant to leave may put in an end of the events, too; the application sees the first one only.
    pub fn end_events(&self) {
        // prevents: the end is left to slow threads
        if self.enter(Phase::Ended) {
            self.inbox.put(InboxItem::Stopped);
        }
    }

    /// `None`: it comes too late.
    pub fn register(self: &Arc<Self>, who: Participant) -> Option<Presence> {
        let mut participants = self.participants();
        // prevents: a slot is taken after the shutdown
        if self.phase.load(SeqCst) > who.last_phase() as u8 {
            return None;
        }
        participants.counts[who as usize] += 1;
        Some(Presence {
            lifecycle: self.clone(),
            who: 1 << who as u8,
        })
    }

    /// Streams that a thread serves.
    pub fn on_threads(&self) -> usize {
        let counts = self.participants().counts;
        counts[Participant::Stream as usize].saturating_sub(counts[Participant::Parked as usize])
    }

    /// Wakes the thread that waits, and ends the events if no more can come. Before the end begins no thread waits, and
    /// waking would be a system call for nothing.
    fn note_change(&self) {
        let mut participants = self.participants();
        if !self.is_draining() {
            return;
        }
        let ends = self.is_closing()
            && participants.counts[Participant::Connection as usize] == 0
            && !participants.silent;
        participants.silent |= ends;
        drop(participants);
        // prevents: events without an end
        if ends {
            self.inbox.put(InboxItem::Stopped);
        }
        // prevents: the last to leave tells nobody
        self.changed.notify_all();
    }

    /// Waits until another thread begins the shutdown.
    pub fn wait_for_closing(&self) {
        let mut participants = self.participants();
        while !self.is_closing() {
            participants = participants.wait(&self.changed);
        }
    }

    /// The same, at most to `deadline`.
    pub fn wait_until_closing(&self, deadline: Instant) {
        self.wait_until(deadline, |_| self.is_closing());
    }

    /// Waits until then; false once no participant is there, or a shutdown has begun.
    pub fn wait_while_draining(&self, until: Instant) -> bool {
        let is_over = |participants: &Participants| participants.is_empty() || self.is_closing();
        self.wait_until(until, is_over);
        !is_over(&self.participants())
    }

    /// Waits until no participant is there, or the shutdown cuts off what is left; at most to `deadline`.
    pub fn wait_until_cut(&self, deadline: Instant) {
        self.wait_until(deadline, |participants| {
            participants.is_empty() || self.is_ending()
        });
    }

    /// Waits until no participant is there, at most to `deadline`, or longer where the process stands still.
    pub fn wait_until_empty(&self, deadline: Instant) {
        let mut grace = Grace::until(deadline);
        let mut participants = self.participants();
        while !participants.is_empty() {
            let Some(wait) = grace.next_wait(Instant::now()) else {
                return;
            };
            participants = participants.wait_timeout(&self.changed, wait);
        }
    }

    fn wait_until(&self, deadline: Instant, is_so: impl Fn(&Participants) -> bool) {
        let mut participants = self.participants();
        while !is_so(&participants) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            participants = participants.wait_timeout(&self.changed, left);
        }
    }

    fn participants(&self) -> Guard<'_, Participants> {
        lock(&self.participants)
    }
}

#[cfg(test)]
mod tests;
