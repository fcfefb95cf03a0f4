//! The way of events to the application thread: one channel, and the application's sleep until something is in it.
//!
//! The channel has no bound of its own, which would take its memory at the start: [credit](crate::connection::credit)
//! bounds what is in it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool, AtomicIsize, AtomicUsize, Ordering::Acquire, Ordering::Relaxed, Ordering::Release,
    Ordering::SeqCst,
};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::admission::slots::Slot;
use super::batch::Messages;
use super::doorbell::Doorbell;
use crate::connection::credit::{Budget, NoTaker, Permit};
use crate::connection::{CloseEvent, Connection};
use crate::error::Error;
use crate::logging::log_line;
use crate::outbox::Owner;
use crate::poller::Bell;
use crate::stats::Counters;
use crate::transport::Transport;

pub(crate) enum InboxItem {
    /// A new connection, with its slot, which is given back after its Close.
    Open(Connection, Slot),
    Messages(Permit, Messages),
    /// This connection is given up, and its end follows.
    Error(u64, Error),
    /// Its end, with the error if the application was not told of it yet.
    End(Connection, Box<(Option<Error>, CloseEvent)>),
    /// There is room again for what this connection was refused.
    Drained(u64),
    /// Another thread asks the application to look at something of its own.
    Woken,
    /// The server has stopped: the last item that is taken.
    Stopped,
}

impl InboxItem {
    /// How many events this item is for the application.
    fn events(&self) -> usize {
        match self {
            InboxItem::Open(..) | InboxItem::Error(..) | InboxItem::Drained(_) => 1,
            InboxItem::Messages(_, messages) => messages.left(),
            InboxItem::End(_, end) => 1 + usize::from(end.0.is_some()),
            InboxItem::Woken | InboxItem::Stopped => 0,
        }
    }

    /// What its messages cost while they wait.
    pub fn cost(&self) -> usize {
        match self {
            InboxItem::Messages(permit, _) => permit.bytes(),
            _ => 0,
        }
    }
}

pub(crate) struct Inbox {
    /// Items with the time when they were put in.
    sender: Sender<(Instant, InboxItem)>,
    receiver: Receiver<(Instant, InboxItem)>,
    /// How many are in the channel, but for those whose threads are amid [`put`](Inbox::put): they ring when they have
    /// counted. The channel is nearly always empty, and to ask it takes a fence.
    waiting: AtomicIsize,
    counters: Arc<Counters>,
    pub budget: Arc<Budget>,
    /// Wakes the application where it sleeps without leading.
    doorbell: Doorbell,
    /// Wakes it where it leads.
    bell: Arc<Bell>,
    /// The application leads, and sleeps where `bell` wakes it.
    leads: AtomicBool,
    /// A `Woken` is in the channel.
    woken: AtomicBool,
    /// Events that were put in, those in batches counted each.
    events_put: AtomicUsize,
    events_taken: AtomicUsize,
    /// Connections whose Open was put in and whose end was not.
    open: AtomicUsize,
    /// Messages that found no taker.
    lost: AtomicUsize,
}

impl Inbox {
    pub fn new(budget: Arc<Budget>, bell: Arc<Bell>, counters: Arc<Counters>) -> Self {
        let (sender, receiver) = unbounded();
        Inbox {
            sender,
            receiver,
            waiting: AtomicIsize::new(0),
            counters,
            budget,
            doorbell: Doorbell::default(),
            bell,
            leads: AtomicBool::new(false),
            woken: AtomicBool::new(false),
            events_put: AtomicUsize::new(0),
            events_taken: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            lost: AtomicUsize::new(0),
        }
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.waiting.load(SeqCst) <= 0
    }

    /// Takes an item, if there is one now.
    #[inline]
    pub fn take(&self) -> Option<InboxItem> {
        match self.is_empty() {
            true => None,
            false => self.receive(),
        }
    }

    fn receive(&self) -> Option<InboxItem> {
        let (since, item) = self.receiver.try_recv().ok()?;
        self.waiting.fetch_sub(1, SeqCst);
        if item.events() > 0 {
            self.counters.channel_time.record(since.elapsed());
        }
        Some(item)
    }

    /// Takes an item; sleeps until there is one, at most until the deadline, or until `free` says that no thread leads.
    pub fn wait(&self, deadline: Option<Instant>, free: impl Fn() -> bool) -> Option<InboxItem> {
        // A panic while it led may have left it so.
        self.leads.store(false, SeqCst);
        let look = || match self.take() {
            Some(item) => Some(Some(item)),
            None => free().then_some(None),
        };
        self.doorbell.wait(deadline, look).flatten()
    }

    /// The application leads and is about to sleep; true if there is nothing to take.
    pub fn is_empty_asleep(&self) -> bool {
        self.leads.store(true, SeqCst);
        self.is_empty()
    }

    /// It does not sleep any more. One that does not see that yet rings the bell in vain.
    pub fn note_awake(&self) {
        self.leads.store(false, Relaxed);
    }

    /// Wakes the application, wherever it sleeps. Call it after the item is in the channel.
    pub fn ring(&self) {
        match self.leads.load(SeqCst) {
            true => self.bell.ring(),
            // prevents: nobody rings
            false => self.doorbell.ring(),
        }
    }

    /// Puts an item in, and wakes the application.
    pub fn put(&self, item: InboxItem) {
        self.count(&item);
        let sent = self.sender.send((Instant::now(), item));
        self.waiting.fetch_add(1, SeqCst);
        self.ring();
        if sent.is_err() {
            log_line!(Error, "an event found no channel: this is a bug of wshub");
        }
    }

    /// Puts an item that the application itself has read into `read`, after all that other threads have put in by now:
    /// a connection that had a thread until now may have left something there.
    pub fn put_behind(&self, read: &mut VecDeque<InboxItem>, item: InboxItem) {
        self.count(&item);
        // The channel is asked itself: its count may stand for an item that another thread is still amid putting in.
        // prevents: what is read overtakes what was put in
        while let Some(earlier) = self.receive() {
            read.push_back(earlier);
        }
        read.push_back(item);
    }

    fn count(&self, item: &InboxItem) {
        self.events_put.fetch_add(item.events(), SeqCst);
        match item {
            InboxItem::Open(..) => _ = self.open.fetch_add(1, SeqCst),
            InboxItem::End(..) => _ = self.open.fetch_sub(1, SeqCst),
            InboxItem::Messages(..)
            | InboxItem::Error(..)
            | InboxItem::Drained(_)
            | InboxItem::Woken
            | InboxItem::Stopped => {}
        }
    }

    /// Wakes the application after what is in the channel now. Calls that come before it has woken count as one.
    pub fn wake(&self) {
        if !self.woken.swap(true, SeqCst) {
            self.put(InboxItem::Woken);
        }
    }

    /// The application was woken, and looks after this call.
    pub fn note_woken(&self) {
        self.woken.store(false, SeqCst);
    }

    /// Charges for messages of a connection without a thread; `None` if they find no taker.
    pub fn charge(&self, connection: &Connection, messages: Messages) -> Option<InboxItem> {
        let charged = self.budget.charge(connection, messages.cost());
        self.admit(charged, messages)
    }

    /// Puts messages in, waiting for credit. While the server shuts down no more are taken: they are counted, and the
    /// peer has been told. Messages of a connection that was dismissed are dropped.
    pub fn put_messages(&self, connection: &Connection, messages: Messages) {
        let waited = self.budget.wait(connection, messages.cost());
        if let Some(item) = self.admit(waited, messages) {
            self.put(item);
        }
    }

    fn admit(&self, permit: Result<Permit, NoTaker>, messages: Messages) -> Option<InboxItem> {
        match permit {
            Ok(permit) => return Some(InboxItem::Messages(permit, messages)),
            Err(NoTaker::Dismissed) => {}
            Err(NoTaker::Shutdown) => _ = self.lost.fetch_add(messages.left(), SeqCst),
        }
        None
    }

    /// The application has taken `count` events, or wants them no more. Only the [`Events`](super::Events) in charge
    /// calls this: a counter with one writer needs no locked instruction.
    #[inline]
    pub fn taken(&self, count: usize) {
        self.events_taken
            .store(self.events_taken.load(Relaxed).wrapping_add(count), Release);
    }

    /// Events that wait when the server has stopped. Each open connection will have a Close, though none was put in for
    /// it.
    pub fn not_taken(&self) -> usize {
        let taken = self.events_taken.load(Acquire);
        let put = self.events_put.load(SeqCst);
        put.wrapping_add(self.open.load(SeqCst)).wrapping_sub(taken)
    }

    /// Messages that found no taker.
    pub fn lost(&self) -> usize {
        self.lost.load(SeqCst)
    }
}

impl Owner for Inbox {
    fn hear_too_slow(&self, id: u64, _: &dyn Transport) {
        self.put(InboxItem::Error(id, Error::SlowConsumer));
    }

    fn hear_room(&self, id: u64) {
        self.put(InboxItem::Drained(id));
    }
}
