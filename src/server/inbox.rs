//! The way of events from the connections' threads to the application thread: one bounded channel,
//! and credit that keeps readers from filling memory when the application is slow.
//!
//! The channel has no bound of its own, which would take its memory at the start: credit bounds what is in it. A
//! connection that holds no thread is read from only while it has credit; one with a thread waits for it.

use std::collections::VecDeque;
use std::sync::atomic::{
    AtomicBool, AtomicUsize, Ordering::Acquire, Ordering::Relaxed, Ordering::Release,
    Ordering::SeqCst,
};
use std::sync::{Arc, Condvar};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::doorbell::Doorbell;
use super::leader::Mail;
use crate::connection::{CloseEvent, Connection};
use crate::copy;
use crate::error::Error;
use crate::limits::Limits;
use crate::lock::{GATE, LINE, Mutex, lock};
use crate::logging::log_line;
use crate::message::Message;
use crate::poller::Mailbox;

/// What an item costs beside its messages' bytes.
const ITEM: usize = 64;

pub(crate) enum Item {
    Open(Connection),
    Messages(Connection, Messages),
    /// This connection is given up, and its end follows.
    Error(u64, Error),
    /// With the error, if nobody has told it yet.
    End(Connection, Box<(Option<Error>, CloseEvent)>),
    /// Another thread has the application look at something of its own.
    Woken,
    /// The server has stopped: the last item that is taken.
    Stopped,
}

/// What one read gave; an iterator over it.
pub(crate) enum Messages {
    One(Option<Message>),
    // Boxed: every slot of the channel is as large as its largest item.
    Many(Box<Batch>),
}

impl Messages {
    /// How many are left.
    pub fn left(&self) -> usize {
        match self {
            Messages::One(message) => usize::from(message.is_some()),
            Messages::Many(batch) => batch.ends.len() - batch.taken,
        }
    }

    /// Bytes they cost while they wait.
    pub fn cost(&self) -> usize {
        ITEM + match self {
            Messages::One(message) => message.as_ref().map_or(0, Message::len),
            Messages::Many(batch) => {
                batch.text.len() + batch.binary.len() + size_of_val(&*batch.ends)
            }
        }
    }
}

impl Iterator for Messages {
    type Item = Message;

    fn next(&mut self) -> Option<Message> {
        match self {
            Messages::One(message) => message.take(),
            Messages::Many(batch) => batch.next(),
        }
    }
}

/// Messages of one read in common buffers, so that a message costs no allocation before the
/// application takes it.
#[derive(Default)]
pub(crate) struct Batch {
    text: String,
    binary: Vec<u8>,
    /// Where each message ends in its buffer.
    ends: Vec<End>,
    /// How many the application has taken, and the bytes of them.
    taken: usize,
    text_taken: usize,
    binary_taken: usize,
}

#[derive(Clone, Copy)]
enum End {
    Text(usize),
    Binary(usize),
}

impl Batch {
    /// `more`: how many bytes of further frames follow. Room for them at once saves a batch of small
    /// messages its growth, which cost more than the messages.
    pub fn push_text(&mut self, text: &str, more: usize) {
        if self.text.is_empty() {
            self.text.reserve(text.len() + more);
        }
        copy::append_text(&mut self.text, text);
        self.push_end(End::Text(self.text.len()));
    }

    /// As [`push_text`](Batch::push_text).
    pub fn push_binary(&mut self, bytes: &[u8], more: usize) {
        if self.binary.is_empty() {
            self.binary.reserve(bytes.len() + more);
        }
        copy::append(&mut self.binary, bytes);
        self.push_end(End::Binary(self.binary.len()));
    }

    fn push_end(&mut self, end: End) {
        const FEW: usize = 16;
        if self.ends.len() == 1 {
            self.ends.reserve_exact(FEW);
        }
        self.ends.push(end);
    }

    pub fn payload_bytes(&self) -> usize {
        self.text.len() + self.binary.len()
    }

    /// The messages, if there are any; one alone is not copied again.
    pub fn finish(mut self) -> Option<Messages> {
        self.give_room_back();
        match self.ends[..] {
            [] => None,
            [End::Text(_)] => Some(Messages::One(Some(Message::Text(self.text)))),
            [End::Binary(_)] => Some(Messages::One(Some(Message::Binary(self.binary)))),
            _ => Some(Messages::Many(Box::new(self))),
        }
    }

    /// What follows may have been the beginning of a long message: credit counts bytes, not room.
    fn give_room_back(&mut self) {
        if self.text.capacity() > 2 * self.text.len() {
            self.text.shrink_to_fit();
        }
        if self.binary.capacity() > 2 * self.binary.len() {
            self.binary.shrink_to_fit();
        }
    }

    fn next(&mut self) -> Option<Message> {
        let end = *self.ends.get(self.taken)?;
        self.taken += 1;
        Some(match end {
            End::Text(end) => {
                let start = std::mem::replace(&mut self.text_taken, end);
                Message::from(self.text.get(start..end).unwrap_or_default())
            }
            End::Binary(end) => {
                let start = std::mem::replace(&mut self.binary_taken, end);
                Message::from(self.binary.get(start..end).unwrap_or_default())
            }
        })
    }
}

/// What one connection has in the channel.
#[derive(Default)]
pub(crate) struct Account {
    used: AtomicUsize,
    /// Messages found no taker, so those behind them are not taken either: what is taken has no gap.
    cut: AtomicBool,
    /// The application wants nothing more of the connection but its end.
    dismissed: AtomicBool,
    waiting: AtomicBool,
    /// It stands in line for common bytes, or was called out of it and has not looked.
    in_line: AtomicBool,
    /// The connection holds no thread: it does not wait at the gate, but is led.
    parked: AtomicBool,
    gate: Mutex<(), GATE>,
    changed: Condvar,
}

impl Account {
    /// True while the connection's reader waits for the application.
    pub fn is_waiting(&self) -> bool {
        self.waiting.load(SeqCst)
    }

    /// From now on the connection holds no thread, or has one again.
    pub fn set_parked(&self, parked: bool) {
        self.parked.store(parked, SeqCst);
    }

    /// From now on the application takes no message.
    pub fn dismiss(&self) {
        self.dismissed.store(true, SeqCst);
    }

    pub fn is_dismissed(&self) -> bool {
        self.dismissed.load(SeqCst)
    }

    /// Has a reader that waits at the gate look again.
    pub fn wake(&self) {
        if self.is_waiting() {
            // fault: a reader is woken without the gate
            drop(lock(&self.gate));
            self.changed.notify_one();
        }
    }
}

pub(crate) struct Inbox {
    sender: Sender<Item>,
    receiver: Receiver<Item>,
    doorbell: Doorbell,
    /// Where connections without a thread are told that they have credit again.
    mailbox: Arc<Mailbox<Mail>>,
    /// The application leads, and sleeps where the mailbox wakes it.
    leads: AtomicBool,
    /// A `Woken` is in the channel.
    woken: AtomicBool,
    total: usize,
    per_connection: usize,
    /// Bytes of messages in the channel.
    used: AtomicUsize,
    /// Events that were put in, those in batches counted each.
    events_put: AtomicUsize,
    events_taken: AtomicUsize,
    /// Connections whose Open was put in and whose end was not.
    open: AtomicUsize,
    /// Connections whose reader waits for the common bytes.
    short: Mutex<VecDeque<Connection>, LINE>,
    /// Nobody takes events any more.
    discarding: AtomicBool,
    discarded: AtomicUsize,
}

/// The credit that is missing.
enum Short {
    Own,
    Common,
}

/// Why messages find no taker.
enum NoTaker {
    /// The server shuts down.
    Shutdown,
    /// The application has dismissed the connection.
    Dismissed,
}

impl Inbox {
    pub fn new(limits: &Limits, mailbox: Arc<Mailbox<Mail>>) -> Self {
        let (sender, receiver) = unbounded();
        Inbox {
            sender,
            receiver,
            doorbell: Doorbell::default(),
            mailbox,
            leads: AtomicBool::new(false),
            woken: AtomicBool::new(false),
            total: limits.inbound_total,
            per_connection: limits.inbound_per_connection,
            used: AtomicUsize::new(0),
            events_put: AtomicUsize::new(0),
            events_taken: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            short: Mutex::default(),
            discarding: AtomicBool::new(false),
            discarded: AtomicUsize::new(0),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.receiver.is_empty()
    }

    /// Takes an item, if there is one now.
    pub fn take(&self) -> Option<Item> {
        self.receiver.try_recv().ok()
    }

    /// Takes an item; sleeps until there is one, at most until the deadline or until `free` says that nobody leads.
    pub fn wait(&self, deadline: Option<Instant>, free: impl Fn() -> bool) -> Option<Item> {
        let look = || match self.take() {
            Some(item) => Some(Some(item)),
            None => free().then_some(None),
        };
        self.doorbell.wait(deadline, look).flatten()
    }

    /// The application leads, and is about to sleep, or sleeps no longer; true if there is nothing to take.
    pub fn set_leading(&self, leads: bool) -> bool {
        self.leads.store(leads, SeqCst);
        self.is_empty()
    }

    /// Wakes the application, wherever it sleeps. To be called behind what it is to find.
    pub fn ring(&self) {
        match self.leads.load(SeqCst) {
            true => self.mailbox.wake(),
            // fault: nobody rings
            false => self.doorbell.ring(),
        }
    }

    /// For a connection without a thread: whether it may be read from. If not, it is resumed when it may.
    pub fn has_credit(&self, connection: &Connection) -> bool {
        let account = connection.account();
        let may_read =
            || account.is_dismissed() || self.discarding.load(SeqCst) || self.room(account).is_ok();
        if !may_read() {
            account.waiting.store(true, SeqCst);
            if matches!(self.room(account), Err(Short::Common)) {
                // fault: who is led does not stand in line
                self.stand_in_line(connection);
            }
            // Room that was made before it said that it waits would resume nobody.
            // fault: no second look for who is led
            if !may_read() {
                return false;
            }
        }
        if account.is_waiting() {
            account.waiting.store(false, SeqCst);
        }
        // fault: who is led keeps what it was woken for
        self.leave_line(connection);
        true
    }

    /// For a connection without a thread: true if the application is done with its messages. If not, it is resumed
    /// then.
    pub fn is_taken(&self, connection: &Connection) -> bool {
        let account = connection.account();
        let taken = || {
            account.used.load(SeqCst) == 0 || account.is_dismissed() || self.discarding.load(SeqCst)
        };
        if taken() {
            return true;
        }
        account.waiting.store(true, SeqCst);
        // fault: no second look for who is taken
        taken()
    }

    fn room(&self, account: &Account) -> Result<(), Short> {
        let full = |used: usize, bound: usize| used > 0 && used >= bound;
        if full(account.used.load(SeqCst), self.per_connection) {
            return Err(Short::Own);
        }
        match full(self.used(), self.total) {
            true => Err(Short::Common),
            false => Ok(()),
        }
    }

    /// Puts in what a connection without a thread gave.
    pub fn put_read(&self, item: Item) {
        if let Some(item) = self.count_in(item) {
            self.send(item);
        }
    }

    /// Counts what a connection without a thread gave as put in; `None` if it finds no taker.
    pub fn count_in(&self, item: Item) -> Option<Item> {
        if let Item::Messages(connection, messages) = &item {
            let account = connection.account();
            if account.is_dismissed() {
                return None;
            }
            let full = self.discarding.load(SeqCst) && self.room(account).is_err();
            if full || account.cut.load(SeqCst) {
                account.cut.store(true, SeqCst);
                self.discarded.fetch_add(messages.left(), SeqCst);
                return None;
            }
            let cost = messages.cost();
            self.used.fetch_add(cost, SeqCst);
            account.used.fetch_add(cost, SeqCst);
        }
        self.count(&item);
        Some(item)
    }

    fn count(&self, item: &Item) {
        self.events_put.fetch_add(events_of(item), SeqCst);
        match item {
            Item::Open(_) => _ = self.open.fetch_add(1, SeqCst),
            Item::End(..) => _ = self.open.fetch_sub(1, SeqCst),
            Item::Messages(..) | Item::Error(..) | Item::Woken | Item::Stopped => {}
        }
    }

    fn send(&self, item: Item) {
        let sent = self.sender.send(item);
        self.ring();
        if sent.is_err() {
            log_line!(Error, "an event found no channel: this is a bug of wshub");
        }
    }

    pub fn used(&self) -> usize {
        self.used.load(SeqCst)
    }

    /// Puts an item in that needs no credit, or has it.
    pub fn put(&self, item: Item) {
        self.count(&item);
        self.send(item);
    }

    /// Has the application woken behind what is in the channel now. Calls that come before it was are one.
    pub fn wake(&self) {
        if !self.woken.swap(true, SeqCst) {
            self.put(Item::Woken);
        }
    }

    /// The application was woken, and looks behind this.
    pub fn note_woken(&self) {
        self.woken.store(false, SeqCst);
    }

    /// Puts messages in, waiting for credit. While the server goes down they find no taker: they are
    /// counted, and the peer has been told. Those of a connection that was dismissed are dropped.
    pub fn put_messages(&self, connection: &Connection, messages: Messages) {
        match self.find_credit(connection, messages.cost()) {
            Ok(()) => self.put(Item::Messages(connection.clone(), messages)),
            Err(NoTaker::Dismissed) => {}
            Err(NoTaker::Shutdown) => {
                // fault: a gap behind what found no taker
                connection.account().cut.store(true, SeqCst);
                self.discarded.fetch_add(messages.left(), SeqCst);
            }
        }
    }

    fn find_credit(&self, connection: &Connection, cost: usize) -> Result<(), NoTaker> {
        let account = connection.account();
        if account.is_dismissed() {
            return Err(NoTaker::Dismissed);
        }
        if account.cut.load(SeqCst) {
            return Err(NoTaker::Shutdown);
        }
        match self.take_credit(account, cost) {
            Ok(()) => Ok(()),
            Err(_) => self.wait_for_credit(connection, cost),
        }
    }

    fn take_credit(&self, account: &Account, cost: usize) -> Result<(), Short> {
        let own = account.used.load(SeqCst);
        if own > 0 && own + cost > self.per_connection {
            return Err(Short::Own);
        }
        let fits = |used: usize| (used == 0 || used + cost <= self.total).then_some(used + cost);
        self.used
            .fetch_update(SeqCst, SeqCst, fits)
            .map_err(|_| Short::Common)?;
        account.used.fetch_add(cost, SeqCst);
        Ok(())
    }

    /// Waits until the application has made room. Without a deadline by design: nobody is dropped
    /// because the application is slow (row B5 of `tests/threats.md`). A shutdown ends the wait, and so does the
    /// application that wants no more of them.
    fn wait_for_credit(&self, connection: &Connection, cost: usize) -> Result<(), NoTaker> {
        let account = connection.account();
        let mut gate = lock(&account.gate);
        account.waiting.store(true, SeqCst);
        let outcome = loop {
            if account.is_dismissed() {
                break Err(NoTaker::Dismissed);
            }
            if self.discarding.load(SeqCst) {
                break Err(NoTaker::Shutdown);
            }
            match self.take_credit(account, cost) {
                Ok(()) => break Ok(()),
                Err(Short::Own) => {}
                Err(Short::Common) => {
                    self.stand_in_line(connection);
                    // Room that was made before we stood in line would wake nobody.
                    // fault: no second look in line
                    if self.take_credit(account, cost).is_ok() {
                        break Ok(());
                    }
                }
            }
            gate = gate.wait(&account.changed);
        };
        account.waiting.store(false, SeqCst);
        drop(gate);
        self.leave_line(connection);
        outcome
    }

    fn stand_in_line(&self, connection: &Connection) {
        let mut short = lock(&self.short);
        connection.account().in_line.store(true, SeqCst);
        if !short.contains(connection) {
            short.push_back(connection.clone());
        }
    }

    /// The connection waits for no common bytes any more, or has ended. Its place in line must not swallow the wake-up of
    /// another; and where it was woken, there may be room for the next, too.
    pub fn leave_line(&self, connection: &Connection) {
        let account = connection.account();
        if account.in_line.load(SeqCst) {
            account.in_line.store(false, SeqCst);
            lock(&self.short).retain(|waiting| waiting != connection);
            self.wake_next();
        }
    }

    /// Waits until the application is done with every message of a connection, so that what it
    /// answers goes out before a Close.
    pub fn wait_until_taken(&self, connection: &Connection, deadline: Instant) {
        let account = connection.account();
        let mut gate = lock(&account.gate);
        account.waiting.store(true, SeqCst);
        while account.used.load(SeqCst) > 0
            && !account.is_dismissed()
            && !self.discarding.load(SeqCst)
        {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            gate = gate.wait_timeout(&account.changed, left);
        }
        account.waiting.store(false, SeqCst);
    }

    /// The application has taken so many events, or wants them no more. Called by the one
    /// [`Events`](super::Events) in charge: a counter with one writer needs no locked instruction.
    pub fn taken(&self, count: usize) {
        self.events_taken
            .store(self.events_taken.load(Relaxed).wrapping_add(count), Release);
    }

    /// The application has seen the messages of an item: gives their credit back.
    pub fn give_back(&self, connection: &Connection, cost: usize) {
        let account = connection.account();
        account.used.fetch_sub(cost, SeqCst);
        self.used.fetch_sub(cost, SeqCst);
        // fault: credit comes back and does not wake its reader
        self.resume(connection);
        // fault: credit comes back and wakes nobody in line
        self.wake_next();
    }

    /// A reader that waits for the application is to look again.
    fn resume(&self, connection: &Connection) {
        let account = connection.account();
        if !account.parked.load(SeqCst) {
            account.wake();
        } else if let Some(token) = connection.outbox().token() {
            if account.waiting.swap(false, SeqCst) {
                // fault: credit comes back and nobody is resumed
                self.mailbox.put(|mail| mail.resumed.push(token));
            }
        }
    }

    fn wake_next(&self) {
        let used = self.used();
        if used == 0 || used < self.total {
            let next = lock(&self.short).pop_front();
            if let Some(next) = next {
                self.resume(&next);
            }
        }
    }

    /// From now on messages find no taker; readers that wait are let go. `everyone` is asked behind that: who is not
    /// among them yet will find it so.
    pub fn discard(&self, everyone: impl FnOnce() -> Vec<Connection>) {
        // fault: readers are looked for before the flag is set
        self.discarding.store(true, SeqCst);
        for connection in everyone() {
            self.resume(&connection);
        }
    }

    /// Events that wait once the server has stopped. Who is open now will have its Close, though none
    /// was put in for it.
    pub fn not_taken(&self) -> usize {
        let taken = self.events_taken.load(Acquire);
        let put = self.events_put.load(SeqCst);
        put.wrapping_add(self.open.load(SeqCst)).wrapping_sub(taken)
    }

    /// Messages that found no taker.
    pub fn lost(&self) -> usize {
        self.discarded.load(SeqCst)
    }
}

fn events_of(item: &Item) -> usize {
    match item {
        Item::Open(_) | Item::Error(..) => 1,
        Item::Messages(_, messages) => messages.left(),
        Item::End(_, end) => 1 + usize::from(end.0.is_some()),
        Item::Woken | Item::Stopped => 0,
    }
}

#[cfg(test)]
mod tests;
