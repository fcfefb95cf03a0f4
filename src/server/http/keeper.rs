//! Connections of plain requests that hold no thread: idle ones between two requests, and those whose answers come
//! later. One thread watches them all, and gives a connection to a thread of its own when there is work that may take
//! time.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use super::super::hub::Hub;
use super::kept::{KeptConnection, NextAction};
use crate::limits::Limits;
use crate::panics;
use crate::poller::{Mailbox, Poller, Ready, Token};

/// What others leave for the thread that watches.
#[derive(Default)]
struct KeeperMail {
    arrived: Vec<KeptConnection>,
    /// Connections that have an answer now.
    answered: Vec<Token>,
    /// Descriptors have run out: idle connections give theirs up.
    make_room: bool,
    /// The server shuts down: connections that arrive are ended.
    closing: bool,
    /// Everything ends the hard way, and so does the thread.
    stopped: bool,
}

/// The face of the thread that watches.
pub(crate) struct Keeper {
    mailbox: Arc<Mailbox<KeeperMail>>,
    /// Requests that wait for their answers.
    waiting: Arc<AtomicUsize>,
    max_waiting: usize,
    /// Connections without a request.
    idle: Arc<AtomicUsize>,
}

/// A place among the requests that wait.
pub(crate) struct WaitingPlace(Arc<AtomicUsize>);

impl Drop for WaitingPlace {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Keeper {
    /// The face, and what its thread is to [run](KeeperThread::run).
    pub fn new(limits: &Limits) -> io::Result<(Self, KeeperThread)> {
        let poller = Poller::new()?;
        let mailbox = Arc::new(Mailbox::new(Some(poller.bell().clone())));
        let keeper = Keeper {
            mailbox: mailbox.clone(),
            waiting: Arc::default(),
            max_waiting: limits.max_waiting_requests,
            idle: Arc::default(),
        };
        let watch = KeeperThread {
            mailbox,
            poller,
            idle: BTreeMap::new(),
            next_number: 0,
            max_idle: limits.max_idle_connections,
            count: keeper.idle.clone(),
        };
        Ok((keeper, watch))
    }

    /// `None`: as many requests wait as may.
    pub fn take_place(&self) -> Option<WaitingPlace> {
        let add = |waiting| (waiting < self.max_waiting).then_some(waiting + 1);
        let added = self.waiting.fetch_update(Relaxed, Relaxed, add);
        added.ok().map(|_| WaitingPlace(self.waiting.clone()))
    }

    /// Requests that wait for their answers.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Relaxed)
    }

    /// Connections that wait for a request.
    pub fn idle(&self) -> usize {
        self.idle.load(Relaxed)
    }

    /// Watches a connection from now on.
    pub(super) fn put(&self, kept: KeptConnection) {
        let late = self.mailbox.put(|mail| {
            if mail.stopped {
                return Some(kept);
            }
            mail.arrived.push(kept);
            None
        });
        if let Some(kept) = late {
            kept.cut_off();
        }
    }

    /// Closes idle connections, because descriptors have run out.
    pub fn make_room(&self) {
        self.mailbox.put(|mail| mail.make_room = true);
    }

    /// Closes idle connections, and tells waiting ones that the server shuts down.
    pub fn close(&self) {
        self.mailbox.put(|mail| mail.closing = true);
    }

    /// Ends the thread, and whatever it watches.
    pub fn stop(&self) {
        self.mailbox.put(|mail| mail.stopped = true);
    }
}

/// What the thread holds.
pub(crate) struct KeeperThread {
    mailbox: Arc<Mailbox<KeeperMail>>,
    poller: Poller<KeptConnection>,
    /// Those that are idle, the first of them for the longest time.
    idle: BTreeMap<u64, Token>,
    next_number: u64,
    max_idle: usize,
    count: Arc<AtomicUsize>,
}

impl KeeperThread {
    /// The thread's life.
    pub fn run(mut self, hub: &Arc<Hub>) {
        let mut found = Vec::new();
        while self.take_mail(hub) {
            let idle = || !self.mailbox.is_full();
            self.poller.wait(None, &mut found, idle);
            for ready in found.drain(..) {
                self.note_ready(hub, ready);
            }
            let now = Instant::now();
            while let Some(token) = self.poller.next_due(now) {
                self.with(hub, token, |kept| kept.is_due(hub, now));
            }
        }
        let tokens: Vec<Token> = self.poller.all().map(|(token, _)| token).collect();
        for token in tokens {
            if let Some(kept) = self.remove(token) {
                kept.cut_off();
            }
        }
    }

    /// False once the thread is to end.
    fn take_mail(&mut self, hub: &Arc<Hub>) -> bool {
        if !self.mailbox.is_full() {
            return true;
        }
        let mail = self.mailbox.open(|mail| KeeperMail {
            arrived: std::mem::take(&mut mail.arrived),
            answered: std::mem::take(&mut mail.answered),
            make_room: std::mem::take(&mut mail.make_room),
            ..*mail
        });
        for kept in mail.arrived {
            match mail.stopped {
                true => kept.cut_off(),
                false => self.admit(hub, kept),
            }
        }
        for token in mail.answered {
            self.with(hub, token, |kept| kept.answer(hub));
        }
        if mail.make_room {
            self.close_idle(0);
        }
        if mail.closing {
            self.close(hub);
        }
        !mail.stopped
    }

    fn admit(&mut self, hub: &Arc<Hub>, kept: KeptConnection) {
        match self.poller.insert(kept, KeptConnection::source) {
            Ok(token) => {
                let mailbox = self.mailbox.clone();
                let notify = Box::new(move || mailbox.put(|mail| mail.answered.push(token)));
                self.with(hub, token, |kept| kept.begin(hub, notify));
            }
            // There is no descriptor to watch it by.
            Err((kept, _)) => kept.cut_off(),
        }
    }

    fn note_ready(&mut self, hub: &Arc<Hub>, ready: Ready) {
        self.with(hub, ready.token, |kept| kept.is_ready(hub, ready));
    }

    /// Has a connection do something, and does what that leaves to do. A panic costs this connection alone.
    fn with(
        &mut self,
        hub: &Arc<Hub>,
        token: Token,
        act: impl FnOnce(&mut KeptConnection) -> NextAction,
    ) {
        let Some(kept) = self.poller.get(token) else {
            return;
        };
        let fate = panics::catch(|| act(kept)).unwrap_or(NextAction::Ends);
        self.count_idle(token);
        match fate {
            NextAction::Stays(until) => self.poller.set_deadline(token, until),
            NextAction::Ends => {
                if let Some(kept) = self.remove(token) {
                    kept.end();
                }
            }
            NextAction::NeedsThread => {
                if let Some(kept) = self.remove(token) {
                    kept.go_on(hub);
                }
            }
        }
    }

    /// Puts a connection into the line of the idle ones, or takes it out, as it is.
    fn count_idle(&mut self, token: Token) {
        let next = self.next_number;
        let Some(kept) = self.poller.get(token) else {
            return;
        };
        match (kept.number(), kept.is_idle()) {
            (None, true) => {
                kept.set_number(Some(next));
                self.idle.insert(next, token);
                self.next_number += 1;
                self.close_idle(self.max_idle);
            }
            (Some(number), false) => {
                kept.set_number(None);
                self.idle.remove(&number);
            }
            _ => {}
        }
        self.count.store(self.idle.len(), Relaxed);
    }

    /// Closes the oldest idle connections, until so many are left.
    fn close_idle(&mut self, left: usize) {
        while self.idle.len() > left {
            let Some((_, token)) = self.idle.pop_first() else {
                return;
            };
            if let Some(kept) = self.remove(token) {
                kept.end();
            }
        }
    }

    fn close(&mut self, hub: &Arc<Hub>) {
        self.close_idle(0);
        let tokens: Vec<Token> = self.poller.all().map(|(token, _)| token).collect();
        for token in tokens {
            self.with(hub, token, |kept| kept.close(hub));
        }
    }

    fn remove(&mut self, token: Token) -> Option<KeptConnection> {
        let kept = self.poller.remove(token)?;
        if let Some(number) = kept.number() {
            self.idle.remove(&number);
        }
        self.count.store(self.idle.len(), Relaxed);
        Some(kept)
    }
}
