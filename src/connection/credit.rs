//! Credit: how many bytes of messages may wait for the application, of each connection and of all of them.
//!
//! A [`Permit`] counts for messages that wait, and gives their bytes back when the application is done with them. A
//! connection that has a thread waits for credit; one without is read from only while it has some.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar};
use std::time::{Duration, Instant};

use super::Connection;
use crate::limits::Limits;
use crate::lock::{GATE, LINE, Mutex, lock};
use crate::poller::Token;

/// What waits of one connection.
pub(crate) struct Account {
    budget: Arc<Budget>,
    used: AtomicUsize,
    /// A bit for each [`NoTaker`] that there was: later messages are refused too, so that what is taken has no gap.
    no_taker: AtomicU8,
    waiting: AtomicBool,
    /// It stands in line for common bytes, or was called out of it and has not looked.
    in_line: AtomicBool,
    /// The connection holds no thread: it does not wait at the gate, but is led.
    parked: AtomicBool,
    gate: Mutex<(), GATE>,
    changed: Condvar,
}

impl Account {
    pub fn new(budget: Arc<Budget>) -> Self {
        Account {
            budget,
            used: AtomicUsize::new(0),
            no_taker: AtomicU8::new(0),
            waiting: AtomicBool::new(false),
            in_line: AtomicBool::new(false),
            parked: AtomicBool::new(false),
            gate: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// True while the connection's reader waits for the application.
    pub fn is_waiting(&self) -> bool {
        self.waiting.load(SeqCst)
    }

    /// Its reader waits until the application is done with messages. Then it is resumed, or its thread is woken. Noted
    /// before each look: messages that the application was done with before would wake nobody.
    pub fn note_waiting(&self) {
        self.waiting.store(true, SeqCst);
    }

    /// A reader that has a thread is about to wait.
    pub fn wait_on_thread(&self) -> WaitingThread<'_> {
        WaitingThread(self)
    }

    /// Bytes of its messages that the application has still to take, or to be done with.
    pub fn used(&self) -> usize {
        self.used.load(SeqCst)
    }

    /// The time since the server began.
    pub fn time_at(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.budget.begun)
    }

    /// From now on the connection holds no thread, or has one again.
    pub fn set_parked(&self, parked: bool) {
        self.parked.store(parked, SeqCst);
    }

    /// From now on the application takes no message.
    pub fn dismiss(&self) {
        self.note(NoTaker::Dismissed);
    }

    pub fn is_dismissed(&self) -> bool {
        self.has_had(NoTaker::Dismissed)
    }

    fn note(&self, reason: NoTaker) {
        self.no_taker.fetch_or(1 << reason as u8, SeqCst);
    }

    fn has_had(&self, reason: NoTaker) -> bool {
        self.no_taker.load(SeqCst) & 1 << reason as u8 != 0
    }

    /// Wakes a reader that waits at the gate, to look again.
    pub fn wake(&self) {
        if self.is_waiting() {
            self.notify();
        }
    }

    fn notify(&self) {
        // prevents: a reader is woken without the gate
        drop(lock(&self.gate));
        self.changed.notify_one();
    }

    /// True if nothing waits, or what waits will never be taken.
    fn is_settled(&self) -> bool {
        self.used.load(SeqCst) == 0 || self.is_dismissed() || self.budget.is_closed()
    }
}

/// A thread waits for what the application is still to take of its connection, until this is dropped.
pub(crate) struct WaitingThread<'a>(&'a Account);

impl WaitingThread<'_> {
    /// A look at the bytes that the application has still to take, or to be done with.
    pub fn used(&self) -> usize {
        self.0.note_waiting();
        self.0.used()
    }
}

impl Drop for WaitingThread<'_> {
    fn drop(&mut self) {
        self.0.waiting.store(false, SeqCst);
    }
}

/// What may wait of all connections of a server.
pub(crate) struct Budget {
    begun: Instant,
    total: usize,
    per_connection: usize,
    used: AtomicUsize,
    /// Connections whose reader waits for the common bytes.
    line: Mutex<VecDeque<Connection>, LINE>,
    /// How many: who makes room looks here first, without the lock.
    line_len: AtomicUsize,
    /// No messages are taken any more.
    closed: AtomicBool,
    /// Asks the leader to look at a connection without a thread.
    resume: Box<dyn Fn(Token) + Send + Sync>,
}

/// The credit that is missing.
enum CreditShortage {
    Own,
    Common,
}

/// Why messages are not taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoTaker {
    /// The server shuts down.
    Shutdown,
    /// The application wants nothing more of the connection but its end.
    Dismissed,
}

/// Bytes of one connection that wait for the application; dropped when it is done with them.
pub(crate) struct Permit {
    connection: Connection,
    bytes: usize,
}

impl Permit {
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let account = self.connection.account();
        account.used.fetch_sub(self.bytes, SeqCst);
        account.budget.used.fetch_sub(self.bytes, SeqCst);
        // prevents: credit comes back and does not wake its reader
        account.budget.resume(&self.connection);
        // prevents: credit comes back and wakes nobody in line
        account.budget.wake_next();
    }
}

impl Budget {
    /// `resume` asks the leader to look at a connection without a thread.
    pub fn new(limits: &Limits, resume: impl Fn(Token) + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Budget {
            begun: Instant::now(),
            total: limits.inbound_total,
            per_connection: limits.inbound_per_connection,
            used: AtomicUsize::new(0),
            line: Mutex::default(),
            line_len: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            resume: Box::new(resume),
        })
    }

    /// Bytes that wait for the application.
    pub fn used(&self) -> usize {
        self.used.load(SeqCst)
    }

    fn is_closed(&self) -> bool {
        self.closed.load(SeqCst)
    }

    /// For a connection without a thread: whether it may be read from. If not, it is resumed when it may be.
    #[inline]
    pub fn may_read(&self, connection: &Connection) -> bool {
        let account = connection.account();
        let may_read = || account.is_dismissed() || self.is_closed() || self.room(account).is_ok();
        if !may_read() {
            account.note_waiting();
            if matches!(self.room(account), Err(CreditShortage::Common)) {
                // prevents: a led connection does not stand in line
                self.stand_in_line(connection);
            }
            // Room that was made before it said that it waits would resume nobody.
            // prevents: no second look for a led connection
            if !may_read() {
                return false;
            }
        }
        if account.is_waiting() {
            account.waiting.store(false, SeqCst);
        }
        // prevents: a led connection keeps what it was woken for
        self.leave_line(connection);
        true
    }

    /// For a connection without a thread: true if the application is done with its messages. If not, it is resumed
    /// then.
    pub fn is_settled(&self, connection: &Connection) -> bool {
        let account = connection.account();
        if account.is_settled() {
            return true;
        }
        account.note_waiting();
        // prevents: no second look for a taken connection
        account.is_settled()
    }

    fn room(&self, account: &Account) -> Result<(), CreditShortage> {
        let full = |used: usize, bound: usize| used > 0 && used >= bound;
        if full(account.used.load(SeqCst), self.per_connection) {
            return Err(CreditShortage::Own);
        }
        match full(self.used(), self.total) {
            true => Err(CreditShortage::Common),
            false => Ok(()),
        }
    }

    /// Charges for what was read from a connection without a thread, which had credit before the read.
    pub fn charge(&self, connection: &Connection, bytes: usize) -> Result<Permit, NoTaker> {
        let account = connection.account();
        if account.is_dismissed() {
            return Err(NoTaker::Dismissed);
        }
        let full = self.is_closed() && self.room(account).is_err();
        if full || account.has_had(NoTaker::Shutdown) {
            account.note(NoTaker::Shutdown);
            return Err(NoTaker::Shutdown);
        }
        self.used.fetch_add(bytes, SeqCst);
        account.used.fetch_add(bytes, SeqCst);
        Ok(Permit {
            connection: connection.clone(),
            bytes,
        })
    }

    /// Charges for what the thread of a connection has read: waits for credit. While the server shuts down the messages
    /// are not taken.
    pub fn wait(&self, connection: &Connection, bytes: usize) -> Result<Permit, NoTaker> {
        let account = connection.account();
        if account.is_dismissed() {
            return Err(NoTaker::Dismissed);
        }
        if account.has_had(NoTaker::Shutdown) {
            return Err(NoTaker::Shutdown);
        }
        if self.take(account, bytes).is_err() {
            let waited = self.wait_at_gate(connection, None, || self.take(account, bytes));
            if waited == Err(NoTaker::Shutdown) {
                // prevents: a gap after what found no taker
                account.note(NoTaker::Shutdown);
            }
            waited?;
        }
        Ok(Permit {
            connection: connection.clone(),
            bytes,
        })
    }

    /// Waits until the connection may be read from, at most until `end`; false if it may not by then. Until then its
    /// thread reads nothing: the answers to that might find no room beside those to what waits.
    pub fn wait_to_read(&self, connection: &Connection, end: Option<Instant>) -> bool {
        let account = connection.account();
        if self.room(account).is_ok() {
            return true;
        }
        let waited = self.wait_at_gate(connection, end, || self.room(account));
        // If messages are not taken any more, a Close may still come.
        waited.unwrap_or(true)
    }

    fn take(&self, account: &Account, bytes: usize) -> Result<(), CreditShortage> {
        let own = account.used.load(SeqCst);
        if own > 0 && own + bytes > self.per_connection {
            return Err(CreditShortage::Own);
        }
        let fits = |used: usize| (used == 0 || used + bytes <= self.total).then_some(used + bytes);
        self.used
            .fetch_update(SeqCst, SeqCst, fits)
            .map_err(|_| CreditShortage::Common)?;
        account.used.fetch_add(bytes, SeqCst);
        Ok(())
    }

    /// Waits until the application has made room; false if it has not by `end`. A thread that has nothing else to do
    /// waits without an end, by design: no peer is dropped because the application is slow (row B5 of
    /// `tests/threats.md`). A shutdown ends the wait, and so does the application when it wants no more messages.
    fn wait_at_gate(
        &self,
        connection: &Connection,
        end: Option<Instant>,
        try_pass: impl Fn() -> Result<(), CreditShortage>,
    ) -> Result<bool, NoTaker> {
        let account = connection.account();
        let mut gate = lock(&account.gate);
        let waiting = account.wait_on_thread();
        let outcome = loop {
            account.note_waiting();
            if account.is_dismissed() {
                break Err(NoTaker::Dismissed);
            }
            if self.is_closed() {
                break Err(NoTaker::Shutdown);
            }
            match try_pass() {
                Ok(()) => break Ok(true),
                Err(CreditShortage::Own) => {}
                Err(CreditShortage::Common) => {
                    self.stand_in_line(connection);
                    // Room that was made before we stood in line would wake nobody.
                    // prevents: no second look in line
                    if try_pass().is_ok() {
                        break Ok(true);
                    }
                }
            }
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            gate = match left {
                None => gate.wait(&account.changed),
                Some(Duration::ZERO) => break Ok(false),
                Some(left) => gate.wait_timeout(&account.changed, left),
            };
        };
        drop(waiting);
        drop(gate);
        self.leave_line(connection);
        outcome
    }

    fn stand_in_line(&self, connection: &Connection) {
        self.change_line(|line| {
            connection.account().in_line.store(true, SeqCst);
            if !line.contains(connection) {
                line.push_back(connection.clone());
            }
        });
    }

    /// Who stands in line is counted before the second look, and who makes room looks after that: one sees the other.
    #[inline(never)]
    fn change_line<R>(&self, change: impl FnOnce(&mut VecDeque<Connection>) -> R) -> R {
        let mut line = lock(&self.line);
        let changed = change(&mut line);
        self.line_len.store(line.len(), SeqCst);
        changed
    }

    /// The connection does not wait for common bytes any more, or has ended. Its place in line must not swallow the
    /// wake-up of the next one; and if it was woken, there may be room for the next, too.
    #[inline]
    pub fn leave_line(&self, connection: &Connection) {
        let in_line = &connection.account().in_line;
        if in_line.load(SeqCst) {
            in_line.store(false, SeqCst);
            self.change_line(|line| line.retain(|waiting| waiting != connection));
            self.wake_next();
        }
    }

    /// Waits until the application is done with every message of a connection, so that what it
    /// answers goes out before a Close.
    pub fn wait_until_settled(&self, connection: &Connection, deadline: Instant) {
        let account = connection.account();
        let mut gate = lock(&account.gate);
        let _waiting = account.wait_on_thread();
        loop {
            account.note_waiting();
            let left = deadline.saturating_duration_since(Instant::now());
            if account.is_settled() || left.is_zero() {
                return;
            }
            gate = gate.wait_timeout(&account.changed, left);
        }
    }

    /// A reader that waits for the application is to look again.
    fn resume(&self, connection: &Connection) {
        let account = connection.account();
        if !account.parked.load(SeqCst) {
            if account.is_waiting() {
                self.wake_thread(connection);
            }
        } else if account.is_waiting() && account.waiting.swap(false, SeqCst) {
            if let Some(token) = connection.outbox().token() {
                // prevents: credit comes back and nobody is resumed
                (self.resume)(token);
            }
            // It may have got a thread meanwhile, which waits.
            // prevents: credit comes back amid a hand-over and wakes nobody
            if !account.parked.load(SeqCst) {
                self.wake_thread(connection);
            }
        }
    }

    /// The connection's thread waits at the gate, or for room in the Outbox.
    fn wake_thread(&self, connection: &Connection) {
        connection.account().notify();
        connection.outbox().wake_reader();
    }

    #[inline]
    fn wake_next(&self) {
        let used = self.used();
        let has_room = used == 0 || used < self.total;
        if has_room && self.line_len.load(SeqCst) > 0 {
            let next = self.change_line(VecDeque::pop_front);
            if let Some(next) = next {
                self.resume(&next);
            }
        }
    }

    /// From now on no messages are taken, and readers that wait are let go. `everyone` is called after that: a
    /// connection that is not in its list yet will see the change by itself.
    pub fn close(&self, everyone: impl FnOnce() -> Vec<Connection>) {
        // prevents: readers are looked for before the flag is set
        self.closed.store(true, SeqCst);
        for connection in everyone() {
            self.resume(&connection);
        }
    }
}

#[cfg(test)]
mod tests;
