//! A server's connection as a value that a thread drives: a conversation over its stream, whose answers go to the
//! Outbox. What its end asks for is `closing`'s. Nothing of it lives in the thread's stack.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use super::batch::{Batch, Messages};
use super::closing::ClosingHandshake;
use crate::address_space;
use crate::connection::Connection;
use crate::connection::conversation::{Answers, Conversation};
use crate::connection::conversation_rules::ConversationRules;
use crate::connection::end::End;
use crate::connection::read_buffer::ReadBuffer;
use crate::error::Error;
use crate::limits::Limits;
use crate::outbox::{Failure, ReadyState};
use crate::protocol::Role;
use crate::protocol::receive::{MessagePart, MessageRef};
use crate::stats::Counters;
use crate::transport::{self, Clock, Transport};

pub(crate) struct Driver {
    pub connection: Connection,
    transport: Arc<dyn Transport>,
    pub conversation: Conversation,
    /// Whole messages may be in the buffer: they were more than is taken at once.
    pub holds_messages: bool,
    /// A pong was collected, and not yet offered to the socket.
    owes_flush: bool,
    /// The end of the stream, or its failure, met behind bytes that were read: the next read returns it. Boxed: it is
    /// rare.
    behind: Option<Box<io::Result<usize>>>,
    /// How reading failed. For the log: the application sees a Close with 1006, whatever it was.
    pub read_error: Option<io::Error>,
}

/// Answers go to the Outbox: pongs are collected there, so that many leave in one write. The leader keeps the
/// deadline of a Close.
struct ToOutbox<'a> {
    connection: &'a Connection,
    owes_flush: &'a mut bool,
}

impl Answers for ToOutbox<'_> {
    fn pong(&mut self, payload: &[u8]) -> Result<(), End> {
        self.connection.outbox().pong(payload);
        *self.owes_flush = true;
        Ok(())
    }

    fn ping(&mut self) -> Result<(), End> {
        // Refused only after a Close was sent: then its own deadline runs.
        let _ = self.connection.ping();
        Ok(())
    }

    fn ponged(&mut self, payload: &[u8]) {
        self.connection.note_pong(payload);
    }

    fn taken_at(&self) -> Option<Instant> {
        self.connection.outbox().left_at()
    }
}

impl Driver {
    pub fn new(
        connection: Connection,
        transport: Arc<dyn Transport>,
        limits: &Limits,
        rules: ConversationRules,
        buffer: ReadBuffer,
    ) -> Self {
        let conversation = Conversation::new(
            Role::Server,
            limits,
            rules,
            buffer,
            connection.compression(),
            transport.now(),
        );
        Driver {
            connection,
            transport,
            conversation,
            holds_messages: false,
            owes_flush: false,
            behind: None,
            read_error: None,
        }
    }

    /// Makes sure that the address space has room for copies of all messages in the buffer; returns how many bytes are
    /// there.
    fn find_room(&mut self) -> Result<usize, End> {
        let buffered = self.conversation.buffered();
        match has_room(buffered) {
            true => Ok(buffered),
            false => Err(End::Failed(Error::OutOfMemory)),
        }
    }

    /// Gives the next message in the buffer to `take`; `None` when the buffer holds no further one.
    pub fn next<T>(&mut self, take: impl FnOnce(MessageRef<'_>) -> T) -> Result<Option<T>, End> {
        if self.connection.outbox().has_ended() {
            return Err(End::Lost);
        }
        let (conversation, mut answers) = self.talk();
        let next = conversation.next(&mut answers, |message| {
            has_room(message.len()).then(|| take(message))
        });
        match next? {
            Some(None) => Err(End::Failed(Error::OutOfMemory)),
            next => Ok(next.flatten()),
        }
    }

    /// The messages in the buffer, but no more than find room when they are answered, and not many more bytes than a
    /// read takes: compressed ones may be a thousand times of what is there. Pongs leave.
    pub fn take_messages(&mut self, counters: &Counters) -> (Option<Messages>, Result<(), End>) {
        let most = self.connection.outbox().messages_at_once();
        let most_bytes = self.conversation.read_size();
        let mut batch = Batch::default();
        let mut left = match self.find_room() {
            Ok(buffered) => buffered,
            Err(end) => return (None, Err(end)),
        };
        let (mut messages, mut bytes) = (0, 0);
        let mut take = |message: MessageRef<'_>| {
            (messages, bytes) = (messages + 1, bytes + message.len());
            // Headers are not counted off: room for a little too much.
            left = left.saturating_sub(message.len());
            batch.push(message, left);
            messages < most && bytes < most_bytes
        };
        let mut more = Some(true);
        let parsed = loop {
            match self.next_run(&mut take) {
                Ok(next) => more = next,
                Err(end) => break Err(end),
            }
            if more != Some(true) {
                break Ok(());
            }
        };
        self.holds_messages = more.is_some();
        self.flush_pongs();
        if messages > 0 {
            counters.received(messages as u64, bytes as u64);
        }
        (batch.finish(), parsed)
    }

    /// Gives the next messages in the buffer to `take`, as long as it wants more; what it said last, `None` when the
    /// buffer holds no further one. For those that are whole there, room was found with the buffer's.
    fn next_run(
        &mut self,
        mut take: impl FnMut(MessageRef<'_>) -> bool,
    ) -> Result<Option<bool>, End> {
        if self.connection.outbox().has_ended() {
            return Err(End::Lost);
        }
        let mut more = true;
        self.conversation.all_whole(|message| {
            more = take(message);
            more
        })?;
        match more {
            true => self.next(take),
            false => Ok(Some(false)),
        }
    }

    /// Gives the next part of a message to `take`, where that is to come in parts.
    pub fn next_part<T>(
        &mut self,
        take: impl FnOnce(MessagePart<'_>) -> T,
    ) -> Result<Option<T>, End> {
        if self.connection.outbox().has_ended() {
            return Err(End::Lost);
        }
        let (conversation, mut answers) = self.talk();
        conversation.next_part(&mut answers, take)
    }

    fn talk(&mut self) -> (&mut Conversation, ToOutbox<'_>) {
        let answers = ToOutbox {
            connection: &self.connection,
            owes_flush: &mut self.owes_flush,
        };
        (&mut self.conversation, answers)
    }

    /// Offers pongs to the socket; they were collected so that many leave in one write.
    pub fn flush_pongs(&mut self) {
        if std::mem::take(&mut self.owes_flush) {
            self.connection.outbox().flush();
        }
    }

    /// Blocks until bytes come, or until `end`: true if they came. Pings a silent peer. One for which much waits is not
    /// read from until it has taken some of that.
    pub fn fill(&mut self, end: Option<Instant>) -> Result<bool, End> {
        self.find_room()?;
        let used = self.connection.account().used();
        if self.connection.outbox().is_crowded(used) && !self.wait_for_room(end) {
            return Ok(false);
        }
        if self.holds_messages {
            return Ok(true);
        }
        loop {
            let now = self.transport.now();
            let (conversation, mut answers) = self.talk();
            let due = conversation.before_read(now, &mut answers)?;
            match self.read([due, end].into_iter().flatten().min()) {
                Ok(0) => return Err(self.ended(End::HalfClosed)),
                Ok(_) => return Ok(true),
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    self.trim();
                    if end.is_some_and(|end| end <= self.transport.now()) {
                        return Ok(false);
                    }
                }
                Err(error) => return Err(self.failed(error)),
            }
        }
    }

    /// Waits until the peer may be read from, at most until `end`; false if it may not by then.
    fn wait_for_room(&self, end: Option<Instant>) -> bool {
        let waiting = self.connection.account().wait_on_thread();
        let outbox = self.connection.outbox();
        outbox.waiter().wait_for_room(|| waiting.used(), end)
    }

    /// So much waits for the peer that it is not to be read from: the leader is called when it may be.
    #[inline]
    pub fn awaits_room(&self) -> bool {
        let pending = self.connection.account().used();
        self.connection.outbox().awaits_room(pending)
    }

    /// What is left in lent room moves to a buffer of its own.
    #[inline]
    pub fn take_back(&mut self, scratch: &mut ReadBuffer) -> Result<(), End> {
        let room = self.find_room().map(drop);
        if room.is_err() {
            self.conversation.forget();
        }
        self.conversation.take_back(scratch);
        room
    }

    /// Takes what is there: how many bytes, and whether there may be more. `now`: the system's time.
    pub fn read_at_once(&mut self, now: Instant) -> Result<(usize, bool), End> {
        self.find_room()?;
        if self.holds_messages {
            return Ok((0, true));
        }
        let room = self.conversation.room();
        let room_was = room.len();
        let read = match self.behind.take() {
            // A thread that had the connection found it. The stream may not say it again.
            Some(behind) => *behind,
            None => self.transport.try_read(room),
        };
        let now = self.transport.clock().map_or(now, Clock::now);
        self.conversation.filled(&read, None, now);
        match read {
            Ok(0) => Err(self.ended(End::HalfClosed)),
            Ok(read) => Ok((read, read >= room_was || self.may_hold_bytes_back())),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok((0, false)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok((0, true)),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// True if the stream may have bytes of which the system knows nothing.
    pub fn may_hold_bytes_back(&self) -> bool {
        let source = self.transport.source();
        self.behind.is_some() || source.is_none_or(|source| !source.short_read_is_last())
    }

    /// Pings a peer that was silent until now, and gives up one that does not answer; until when nothing else is due.
    /// `now`: the system's time.
    pub fn keep_deadlines(&mut self, now: Instant) -> Result<Option<Instant>, End> {
        let now = self.transport.clock().map_or(now, Clock::now);
        let (conversation, mut answers) = self.talk();
        conversation.in_silence(now, &mut answers)
    }

    pub fn transport(&self) -> &dyn Transport {
        &*self.transport
    }

    fn read(&mut self, deadline: Option<Instant>) -> io::Result<usize> {
        if let Some(behind) = self.behind.take() {
            return *behind;
        }
        let read = self.read_once(deadline)?;
        self.read_along();
        Ok(read)
    }

    /// Where a read filled its room, what came with it is read too, as far as it is there: what a
    /// peer sent at once is taken at once, though the buffer of an idle connection is small.
    fn read_along(&mut self) {
        while self.conversation.is_filled_up() {
            let read = self.read_once(Some(self.transport.now()));
            match &read {
                Err(error) if error.kind() == io::ErrorKind::TimedOut => return,
                Ok(0) | Err(_) => {
                    self.behind = Some(Box::new(read));
                    return;
                }
                Ok(_) => {}
            }
        }
    }

    fn read_once(&mut self, deadline: Option<Instant>) -> io::Result<usize> {
        let read = transport::read(&*self.transport, self.conversation.room(), deadline);
        self.conversation
            .filled(&read, deadline, self.transport.now());
        read
    }

    /// Gives back memory that an idle connection does not need.
    pub fn trim(&mut self) {
        self.conversation.trim();
        self.connection.outbox().trim();
    }

    /// How it ended, where reading failed.
    fn failed(&mut self, error: io::Error) -> End {
        let end = self.ended(End::of_read(&error));
        self.read_error = Some(error);
        end
    }

    /// How it ended, where nothing more can be read: as the peer ended it, or because we gave it up.
    fn ended(&self, by_peer: End) -> End {
        match self.connection.outbox().failure() {
            None => by_peer,
            Some(Failure::SlowConsumer) => End::Failed(Error::SlowConsumer),
            Some(_) => End::Lost,
        }
    }

    /// True where the peer is too slow, and is still being told so.
    pub fn is_given_up(&self) -> bool {
        let outbox = self.connection.outbox();
        outbox.ready_state() != ReadyState::Open && outbox.failure() == Some(Failure::SlowConsumer)
    }

    /// Reads on until the connection ends, and drops its messages: no handler is left to take them.
    pub fn run_out(&mut self) -> End {
        loop {
            match self.next(|_| ()) {
                Ok(Some(())) => continue,
                Ok(None) => self.flush_pongs(),
                Err(end) => return end,
            }
            if let Err(end) = self.fill(None) {
                return end;
            }
        }
    }

    /// What is asked for after the end.
    pub fn closing<'a>(&'a self, limits: &'a Limits) -> ClosingHandshake<'a> {
        ClosingHandshake {
            connection: &self.connection,
            transport: &self.transport,
            limits,
        }
    }
}

/// What the peer sends takes memory twice: its buffer grows to twice of what is there, and the messages are copied out
/// of it.
fn has_room(bytes: usize) -> bool {
    address_space::has_room(bytes.saturating_mul(2))
}
