//! Connections of plain requests that hold no thread: those that wait for a first request or the next one, and those
//! whose answers come later. One thread watches them all, answers what takes no time, writes late answers as their
//! peers take them, and gives a connection to a thread of its own when there is work that may take time.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use super::super::admission::Wake;
use super::kept::KeptConnection;
use super::lines::WaitingLines;
use crate::connection::read_buffer::ReadBuffer;
use crate::limits::Limits;
use crate::poller::{EventLoop, Left, Mailbox, Next, Poller, Token};

/// What one read takes of a request.
const ROOM: usize = 16 << 10;

/// What other threads leave for the thread that watches.
#[derive(Default)]
struct KeeperMail {
    arrived: Vec<KeptConnection>,
    /// Connections that have an answer now, or a place for it.
    woken: Vec<Token>,
    /// Descriptors have run out: connections without a request give theirs up.
    make_room: bool,
    /// The server shuts down: connections that arrive are ended.
    closing: bool,
    /// Everything ends the hard way, and so does the thread.
    stopped: bool,
}

/// The face of the thread that watches.
pub(crate) struct Keeper {
    mailbox: Arc<Mailbox<KeeperMail>>,
    /// Connections without a request.
    idle: Arc<AtomicUsize>,
}

impl Keeper {
    /// The face, and what its thread is to [run](KeeperThread::run).
    pub fn new(limits: &Limits) -> io::Result<(Self, KeeperThread)> {
        let poller = Poller::new()?;
        let mailbox = Arc::new(Mailbox::new(Some(poller.bell().clone())));
        let keeper = Keeper {
            mailbox: mailbox.clone(),
            idle: Arc::default(),
        };
        let watch = KeeperThread {
            mailbox,
            connections: EventLoop::new(poller),
            room: ReadBuffer::scratch(ROOM),
            arrived: VecDeque::new(),
            lines: WaitingLines::new(limits),
            count: keeper.idle.clone(),
        };
        Ok((keeper, watch))
    }

    /// Connections that wait for a request.
    pub fn idle(&self) -> usize {
        self.idle.load(Relaxed)
    }

    /// Watches a connection from now on.
    pub(crate) fn put(&self, kept: KeptConnection) {
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

    /// Closes connections without a request, because descriptors have run out.
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
    connections: EventLoop<KeptConnection>,
    /// Lent to the connection that is read from.
    room: ReadBuffer,
    /// Connections that are still to be watched.
    arrived: VecDeque<KeptConnection>,
    lines: WaitingLines,
    count: Arc<AtomicUsize>,
}

impl KeeperThread {
    /// Runs until the server stops it. Called again after a panic, it goes on from where that was.
    pub fn run(&mut self) {
        self.see_to_found();
        self.look_at_all();
        // What the mailbox keeps may not have been seen to.
        self.mailbox.put(|_| ());
        while self.take_mail() {
            let mailbox = &self.mailbox;
            self.connections.wait(None, || !mailbox.is_full());
            self.see_to_found();
            self.give_turns();
            let now = Instant::now();
            while let Some(token) = self.connections.poller.next_due(now) {
                self.with(token, |kept, _| kept.on_deadline(now));
            }
        }
        while let Some(kept) = self.arrived.pop_front() {
            kept.cut_off();
        }
        for token in self.tokens() {
            if let Some(kept) = self.remove(token) {
                kept.cut_off();
            }
        }
    }

    fn see_to_found(&mut self) {
        while let Some(ready) = self.connections.next_found() {
            self.with(ready.token, |kept, room| kept.on_ready(ready, room));
        }
    }

    /// One to each that waits for it. What has more to do after that waits anew.
    fn give_turns(&mut self) {
        for _ in 0..self.connections.turns() {
            if let Some(token) = self.connections.next_turn() {
                self.with(token, |kept, room| kept.on_turn(room));
            }
        }
    }

    /// Does for each connection what may have been left undone.
    fn look_at_all(&mut self) {
        for token in self.tokens() {
            self.with(token, |kept, room| kept.look_again(room));
        }
    }

    fn tokens(&mut self) -> Vec<Token> {
        let all = self.connections.poller.all();
        all.map(|(token, _)| token).collect()
    }

    /// False once the thread is to end.
    fn take_mail(&mut self) -> bool {
        if !self.mailbox.is_full() {
            return true;
        }
        let mail = self.mailbox.open(|mail| KeeperMail {
            arrived: std::mem::take(&mut mail.arrived),
            woken: std::mem::take(&mut mail.woken),
            make_room: std::mem::take(&mut mail.make_room),
            ..*mail
        });
        self.arrived.extend(mail.arrived);
        if !mail.stopped {
            self.admit_all();
        }
        for token in mail.woken {
            self.with(token, |kept, _| kept.on_wake());
        }
        if mail.make_room {
            let line = self.lines.first_to_go();
            while let Some(oldest) = self.lines.take_oldest(line) {
                self.give_way(oldest);
            }
        }
        if mail.closing {
            self.close();
        }
        !mail.stopped
    }

    fn admit_all(&mut self) {
        while let Some(kept) = self.arrived.pop_front() {
            self.admit(kept);
        }
    }

    fn admit(&mut self, kept: KeptConnection) {
        let inserted = (self.connections.poller).insert(kept, KeptConnection::source);
        match inserted {
            Ok(token) => {
                let mailbox = self.mailbox.clone();
                let wake: Wake = Arc::new(move || mailbox.put(|mail| mail.woken.push(token)));
                self.with(token, |kept, room| kept.begin(wake, room));
            }
            // There is no descriptor to watch it by.
            Err((kept, _)) => kept.cut_off(),
        }
    }

    /// Has a connection do something, and does what that leaves to do. A panic costs this connection alone.
    fn with(
        &mut self,
        token: Token,
        act: impl FnOnce(&mut KeptConnection, &mut ReadBuffer) -> Next,
    ) {
        let room = &mut self.room;
        match self.connections.with(token, |kept| act(kept, room)) {
            None => self.put_in_line(token),
            Some(Left::Gone(kept) | Left::Broken(kept)) => {
                self.leave_line(&kept);
                kept.end();
            }
            Some(Left::NeedsThread(kept)) => {
                self.leave_line(&kept);
                kept.go_on();
            }
        }
    }

    /// Puts a connection into the line where it belongs now.
    fn put_in_line(&mut self, token: Token) {
        let Some(kept) = self.connections.poller.get(token) else {
            return;
        };
        if kept.is_in_its_place() {
            return;
        }
        if let Some(before) = kept.place() {
            self.lines.leave(before);
        }
        if let Some(line) = kept.take_place(self.lines.next_number()) {
            self.lines.join(line, token);
            while let Some(oldest) = self.lines.take_excess(line) {
                self.give_way(oldest);
            }
        }
        self.count.store(self.lines.idle(), Relaxed);
    }

    fn give_way(&mut self, token: Token) {
        if let Some(kept) = self.remove(token) {
            kept.give_way();
        }
    }

    fn close(&mut self) {
        for token in self.tokens() {
            self.with(token, |kept, _| kept.close());
        }
    }

    fn remove(&mut self, token: Token) -> Option<KeptConnection> {
        let kept = self.connections.poller.remove(token)?;
        self.leave_line(&kept);
        Some(kept)
    }

    fn leave_line(&mut self, kept: &KeptConnection) {
        if let Some(place) = kept.place() {
            self.lines.leave(place);
        }
        self.count.store(self.lines.idle(), Relaxed);
    }
}

#[cfg(test)]
mod tests;
