//! The thread that watches connections of plain requests: it takes what other threads have left for it, gives each
//! connection its turns, and has the oldest give way where too many wait.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use super::super::admission::Wake;
use super::super::hub::Hub;
use super::keeper::{Keeper, KeeperMail, Resting};
use super::kept::KeptConnection;
use super::lines::WaitingLines;
use crate::connection::read_buffer::ReadBuffer;
use crate::poller::{EventLoop, Left, Next, Poller, Token};

/// What one read takes of a request.
const ROOM: usize = 16 << 10;

pub(crate) struct KeeperThread {
    hub: Arc<Hub>,
    keeper: Arc<Keeper>,
    connections: EventLoop<KeptConnection>,
    /// Lent to the connection that is read from.
    room: ReadBuffer,
    /// Connections that are still to be watched.
    arrived: VecDeque<Resting>,
    lines: WaitingLines,
}

impl KeeperThread {
    /// `poller` is the one whose bell the keeper has.
    pub fn new(hub: Arc<Hub>, keeper: Arc<Keeper>, poller: Poller<KeptConnection>) -> Self {
        KeeperThread {
            connections: EventLoop::new(poller),
            room: ReadBuffer::scratch(ROOM),
            arrived: VecDeque::new(),
            lines: WaitingLines::new(&hub.options.limits),
            keeper,
            hub,
        }
    }

    /// Runs until the server stops it. Called again after a panic, it goes on from where that was.
    pub fn run(&mut self) {
        self.see_to_found();
        self.with_all(KeptConnection::look_again);
        // What the mailbox keeps may not have been seen to.
        self.keeper.mailbox.put(|_| ());
        while self.take_mail() {
            let mailbox = &self.keeper.mailbox;
            self.connections.wait(None, || !mailbox.is_full());
            self.see_to_found();
            self.give_turns();
            let now = Instant::now();
            while let Some(token) = self.connections.poller.next_due(now) {
                self.with(token, |kept, _| kept.on_deadline(now));
            }
        }
        while let Some(resting) = self.arrived.pop_front() {
            resting.cut_off(&self.hub.callbacks);
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
        for _ in 0..self.connections.turns.len() {
            if let Some(token) = self.connections.turns.pop() {
                self.with(token, |kept, room| kept.on_turn(room));
            }
        }
    }

    fn tokens(&mut self) -> Vec<Token> {
        let all = self.connections.poller.all();
        all.map(|(token, _)| token).collect()
    }

    /// False once the thread is to end.
    fn take_mail(&mut self) -> bool {
        if !self.keeper.mailbox.is_full() {
            return true;
        }
        let mail = self.keeper.mailbox.open(|mail| KeeperMail {
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
            self.with_all(|kept, _| kept.close());
        }
        !mail.stopped
    }

    fn admit_all(&mut self) {
        while let Some(resting) = self.arrived.pop_front() {
            let kept = KeptConnection::new(self.hub.clone(), resting);
            let inserted = (self.connections.poller).insert(kept, KeptConnection::source);
            match inserted {
                Ok(token) => {
                    let keeper = self.keeper.clone();
                    let wake: Wake = Arc::new(move || keeper.wake(token));
                    self.with(token, |kept, room| kept.begin(wake, room));
                }
                // There is no descriptor to watch it by.
                Err((kept, _)) => kept.cut_off(),
            }
        }
    }

    /// Has a connection do something, and does what that leaves to do. A panic in `act` costs this connection alone.
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
        if let Some(before) = kept.place.take() {
            self.lines.leave(before);
        }
        if let Some(line) = kept.line() {
            kept.take_place(line, self.lines.join(line, token));
            while let Some(oldest) = self.lines.take_excess(line) {
                self.give_way(oldest);
            }
        }
        self.keeper.idle.store(self.lines.idle(), Relaxed);
    }

    fn give_way(&mut self, token: Token) {
        if let Some(kept) = self.remove(token) {
            kept.give_way();
        }
    }

    fn with_all(&mut self, act: impl Fn(&mut KeptConnection, &mut ReadBuffer) -> Next) {
        for token in self.tokens() {
            self.with(token, &act);
        }
    }

    fn remove(&mut self, token: Token) -> Option<KeptConnection> {
        let kept = self.connections.poller.remove(token)?;
        self.leave_line(&kept);
        Some(kept)
    }

    fn leave_line(&mut self, kept: &KeptConnection) {
        if let Some(place) = kept.place {
            self.lines.leave(place);
        }
        self.keeper.idle.store(self.lines.idle(), Relaxed);
    }
}

#[cfg(test)]
mod tests;
