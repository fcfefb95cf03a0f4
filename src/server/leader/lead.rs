//! Which thread leads: the application's while it waits for events, the stand-in when that has been away for a while.
//!
//! The thread that holds the [`Leader`] is the leader. The application never waits for the stand-in's work: it asks for
//! the lead, and sleeps until an event or the lead is there.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed, Ordering::SeqCst};
use std::time::{Duration, Instant};

use super::super::doorbell::Doorbell;
use super::super::inbox::Inbox;
use super::super::log_writer::LogWriter;
use super::Leader;
use super::mail::Mail;
use crate::atomic::AtomicU64;
use crate::connection::credit::Budget;
use crate::limits::Limits;
use crate::lock::{LEAD, Mutex, lock};
use crate::logging::line_for_later;
use crate::outbox::{self, leader_queue::LeaderQueue};
use crate::panics;
use crate::poller::{Bell, Mailbox};

/// How long the application may be away before the stand-in leads, at least; at most twice that. A shorter time would
/// have the lead change threads between events that take a while each, which costs 50 to 70 microseconds each time.
const PATIENCE: Duration = Duration::from_millis(1);

pub(crate) struct Lead {
    log_writer: Arc<LogWriter>,
    /// Wakes the leader.
    pub bell: Arc<Bell>,
    pub mailbox: Arc<Mailbox<Mail>>,
    pub leader_queue: Arc<LeaderQueue>,
    /// `None`: a thread leads.
    leader: Mutex<Option<Box<Leader>>, LEAD>,
    /// Even: the application waits for events. Odd: it is away. Each coming and going counts one.
    application: AtomicU64,
    /// The application waits for the lead, or the server stops.
    wanted: AtomicBool,
    stopping: AtomicBool,
    /// The stand-in rests here while the application waits.
    rest: Doorbell,
    /// The stand-in passes its time here while it looks whether the application comes back.
    nap: Doorbell,
}

impl Lead {
    pub fn new(log_writer: Arc<LogWriter>, limits: &Limits) -> io::Result<Self> {
        let leader = Leader::new(log_writer.clone(), limits)?;
        Ok(Lead {
            log_writer,
            bell: leader.connections.poller.bell().clone(),
            mailbox: leader.mailbox.clone(),
            leader_queue: leader.leader_queue.clone(),
            leader: Mutex::new(Some(Box::new(leader))),
            application: AtomicU64::new(1),
            wanted: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            rest: Doorbell::default(),
            nap: Doorbell::default(),
        })
    }

    /// The bytes that may wait for the application. Weak: a handle that outlives its connection keeps nothing of the
    /// server's open.
    pub fn budget(&self, limits: &Limits) -> Arc<Budget> {
        let mailbox = Arc::downgrade(&self.mailbox);
        Budget::new(limits, move |token| {
            if let Some(mailbox) = mailbox.upgrade() {
                mailbox.put(|mail| mail.resumed.push(token));
            }
        })
    }

    /// The application waits for events. It leads if no other thread does; `None` if one does.
    pub fn application_waits<R>(&self, lead: impl FnOnce(&mut Leader) -> R) -> Option<R> {
        let count = self.application.load(Relaxed);
        if is_away(count) {
            // A stand-in that does not see it yet finds that the lead is taken, or has it for a moment.
            self.application.store(count.wrapping_add(1), Relaxed);
        }
        self.hold(lead)
    }

    fn hold<R>(&self, lead: impl FnOnce(&mut Leader) -> R) -> Option<R> {
        let leader = lock(&self.leader).take()?;
        let mut held = HeldLead {
            lead: self,
            leader: Some(leader),
        };
        held.leader.as_deref_mut().map(lead)
    }

    /// The application may wait until the returned guard is dropped, and is away from then on.
    pub fn application_goes_on_after(&self) -> ApplicationWait<'_> {
        ApplicationWait(self)
    }

    /// The application is away from now on.
    fn application_goes_on(&self) {
        let count = self.application.load(Relaxed);
        if !is_away(count) {
            self.application.store(count.wrapping_add(1), SeqCst);
            // prevents: the stand-in rests on
            self.rest.ring();
        }
    }

    pub fn is_free(&self) -> bool {
        lock(&self.leader).is_some()
    }

    /// Asks the stand-in for the lead, or asks no longer.
    pub fn want(&self, wanted: bool) {
        self.wanted.store(wanted, SeqCst);
        if wanted {
            // prevents: the stand-in is not asked for the lead
            self.mailbox.wake();
        }
    }

    /// Ends the stand-in.
    pub fn stop(&self) {
        self.stopping.store(true, SeqCst);
        self.want(true);
        self.nap.ring();
        self.rest.ring();
    }

    /// Ends whatever is left to be led.
    pub fn clear(&self) {
        let arrived = self.mailbox.open(|mail| {
            mail.stopped = true;
            std::mem::take(&mut mail.arrived)
        });
        drop(arrived);
        outbox::for_each(&self.leader_queue.stop(), |outbox| outbox.abort());
        let leader = lock(&self.leader).take();
        if let Some(mut leader) = leader {
            leader.abort_stalled();
        }
    }

    /// The stand-in's life.
    pub fn stand_in(&self, inbox: &Inbox) {
        let mut seen = None;
        while !self.is_stopping() {
            self.nap();
            let count = self.application.load(SeqCst);
            let unchanged = seen.replace(count) == Some(count);
            match (unchanged, is_away(count)) {
                (false, _) => {}
                (true, true) => self.lead(inbox),
                (true, false) => self.rest(),
            }
        }
    }

    fn nap(&self) {
        let end = Instant::now() + PATIENCE;
        let stopping = || self.is_stopping().then_some(());
        let _ = self.nap.wait(Some(end), stopping);
    }

    /// Sleeps until the application is away. The application publishes that it is away, then rings.
    fn rest(&self) {
        let away = || is_away(self.application.load(SeqCst));
        let _ = self
            .rest
            .wait(None, || (away() || self.is_stopping()).then_some(()));
    }

    /// Leads until the application wants to. A panic in there is a bug of wshub: it costs the lead for a moment.
    fn lead(&self, inbox: &Inbox) {
        let mut put = |item| inbox.put(item);
        let lead = |leader: &mut Leader| {
            leader.look_anew();
            while !self.is_wanted() {
                if !leader.turn(&mut put) {
                    let until = leader.see_to_collectors();
                    leader.poll(until, &mut put, || !self.is_wanted());
                }
            }
        };
        if panics::catch(|| self.hold(lead)).is_err() {
            self.log_writer.write(line_for_later!(
                Error,
                "the leader has panicked: this is a bug of wshub"
            ));
        }
        // prevents: the lead is free and nobody hears of it
        inbox.ring();
    }

    fn is_wanted(&self) -> bool {
        self.wanted.load(SeqCst) || self.is_stopping()
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(SeqCst)
    }
}

/// The application is away when this is dropped, however its wait ends.
pub(crate) struct ApplicationWait<'a>(&'a Lead);

impl Drop for ApplicationWait<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.application_goes_on();
    }
}

/// The lead is held, and given back however that ends.
struct HeldLead<'a> {
    lead: &'a Lead,
    leader: Option<Box<Leader>>,
}

impl Drop for HeldLead<'_> {
    #[inline]
    fn drop(&mut self) {
        *lock(&self.lead.leader) = self.leader.take();
    }
}

fn is_away(count: u64) -> bool {
    count % 2 == 1
}
