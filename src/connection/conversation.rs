//! A conversation with one peer, without I/O: its bytes become messages, its pings are answered, its Close ends it, and
//! the deadlines of the reading side run.
//!
//! The code that drives it reads into [`room`](Conversation::room), says what that gave
//! ([`filled`](Conversation::filled)), takes messages until there is none ([`next`](Conversation::next)), and waits as
//! long as it is told to ([`before_read`](Conversation::before_read)). Each of them may say that the conversation has
//! ended: [`End`] knows what follows from that. What the peer is owed meanwhile goes to [`Answers`].

use std::ops::Range;
use std::time::{Duration, Instant};

use super::conversation_rules::ConversationRules;
use super::end::End;
use super::read_buffer::ReadBuffer;
use crate::compression::Agreed;
use crate::error::Error;
use crate::limits::{Limits, read_size};
use crate::patience::stood_still;
use crate::protocol::Role;
use crate::protocol::keepalive::{Due, Keepalive};
use crate::protocol::nanos::Nanos;
use crate::protocol::receive::{MessagePart, MessageRef, Received, Receiver};
use crate::protocol::violation::Violation;

/// Silence after which a buffer that grew is given back.
const TRIM_AFTER: Duration = Duration::from_secs(1);

/// The sending side, as the conversation needs it. Nothing here waits for the peer.
pub(crate) trait Answers {
    /// Answers a ping (RFC 6455 5.5.2). Where the peer takes nothing now, the latest ping's answer may replace
    /// those that wait.
    fn pong(&mut self, payload: &[u8]) -> Result<(), End>;

    /// Asks a silent peer whether it is there.
    fn ping(&mut self) -> Result<(), End>;

    /// The peer's pong has come.
    fn ponged(&mut self, _payload: &[u8]) {}

    /// When the peer last took bytes that had to wait for it. That is a sign of life of a peer that sends nothing: it
    /// still reads what was sent before the ping.
    fn taken_at(&self) -> Option<Instant> {
        None
    }

    /// Until when the peer has to finish the closing handshake; `None` if other code keeps that deadline.
    fn close_by(&self) -> Option<Instant> {
        None
    }
}

pub(crate) struct Conversation {
    receiver: Receiver,
    buffer: ReadBuffer,
    rules: ConversationRules,
    keepalive: Keepalive,
    /// When the last read returned: time spent outside of reads does not count against the peer.
    read_at: Nanos,
    /// Bytes have come that no code has looked at yet.
    fresh: bool,
    /// The last message is still in the buffer, and is not borrowed any more.
    owes_discard: bool,
}

/// What the peer's data is for the reading code.
enum Arrived<'b> {
    Message(MessageRef<'b>),
    Part(MessagePart<'b>),
}

impl Conversation {
    /// `buffer`: what came after the opening handshake.
    pub fn new(
        role: Role,
        limits: &Limits,
        rules: ConversationRules,
        buffer: ReadBuffer,
        extension: Option<&Agreed>,
        now: Instant,
    ) -> Self {
        let inflater = extension
            .map(|agreed| agreed.inflater(role.peer_compression(agreed), limits.max_message));
        let began = now.saturating_duration_since(rules.epoch);
        Conversation {
            receiver: Receiver::new(role, limits.receive()).with_inflater(inflater),
            buffer,
            keepalive: Keepalive::new(began),
            rules,
            read_at: began.into(),
            fresh: true,
            owes_discard: false,
        }
    }

    /// From now on a silent peer is pinged.
    pub fn start_heartbeat(&mut self, ping_interval: Option<Duration>) {
        self.rules.set_ping_interval(ping_interval);
    }

    /// Gives the next message in the buffer to `take`; `None` when there is no whole one. Control frames before it are
    /// answered on the way.
    #[inline]
    pub fn next<T>(
        &mut self,
        answers: &mut impl Answers,
        take: impl FnOnce(MessageRef<'_>) -> T,
    ) -> Result<Option<T>, End> {
        self.receiver.cancel_parts();
        let mut take = Some(take);
        self.find(answers, |arrived| match arrived {
            Arrived::Message(message) => take.take().map(|take| take(message)),
            // A part of a message whose rest is thrown away.
            Arrived::Part(_) => None,
        })
    }

    /// Gives the messages in front of the buffer to `take`, as long as they are whole, each in one frame, and `take`
    /// wants more: then [`next`](Conversation::next) finds what there is after them.
    pub fn all_whole(&mut self, take: impl FnMut(MessageRef<'_>) -> bool) -> Result<(), End> {
        self.receiver.cancel_parts();
        self.discard_owed();
        let found = self.receiver.receive_all_whole(self.buffer.filled(), take);
        self.buffer.discard(self.receiver.take_discard());
        found.map_err(|violation| self.failed(violation))
    }

    /// From now on the next message comes in parts, up to `max` bytes of it. The rest of a message that was not read to
    /// its end is thrown away first.
    pub fn begin_parts(&mut self, max: u64) {
        match self.receiver.is_amid_parts() {
            true => self.receiver.skip_to_next(max),
            false => self.receiver.begin_parts(max),
        }
    }

    /// Gives the next part of a message to `take`, after [`begin_parts`](Conversation::begin_parts); otherwise as
    /// [`next`](Conversation::next).
    pub fn next_part<T>(
        &mut self,
        answers: &mut impl Answers,
        take: impl FnOnce(MessagePart<'_>) -> T,
    ) -> Result<Option<T>, End> {
        let mut take = Some(take);
        loop {
            let skips_to = self.receiver.skips_to();
            let found = self.find(answers, |arrived| match arrived {
                Arrived::Part(part) if skips_to.is_none() => {
                    Some(take.take().map(|take| take(part)))
                }
                Arrived::Part(part) => part.last.then_some(None),
                Arrived::Message(_) => None,
            })?;
            match found {
                Some(None) => self.receiver.begin_parts(skips_to.unwrap_or_default()),
                found => return Ok(found.flatten()),
            }
        }
    }

    /// Gives what arrives to `take` until `take` returns something.
    #[inline]
    fn find<T>(
        &mut self,
        answers: &mut impl Answers,
        mut take: impl FnMut(Arrived<'_>) -> Option<T>,
    ) -> Result<Option<T>, End> {
        loop {
            self.discard_owed();
            self.owes_discard = true;
            match self.receiver.receive_whole(self.buffer.filled()) {
                Some(Ok(message)) => match take(Arrived::Message(message)) {
                    None => continue,
                    taken => return Ok(taken),
                },
                Some(Err(violation)) => return Err(self.failed(violation)),
                None => {}
            }
            match self.receiver.receive_rest(self.buffer.filled()) {
                Ok(Received::Message(message)) => {
                    if let Some(taken) = take(Arrived::Message(message)) {
                        return Ok(Some(taken));
                    }
                }
                Ok(Received::Part(part)) => {
                    if let Some(taken) = take(Arrived::Part(part)) {
                        return Ok(Some(taken));
                    }
                }
                Ok(Received::NeedMore { keep }) => {
                    self.owes_discard = false;
                    self.keep(keep);
                    return Ok(None);
                }
                Ok(Received::Ping(payload)) => answers.pong(payload)?,
                // A sign of life, as every byte.
                Ok(Received::Pong(payload)) => answers.ponged(payload),
                Ok(Received::Close(code, reason)) => {
                    return Err(End::Closed(code, reason.to_owned()));
                }
                Err(violation) => return Err(self.failed(violation)),
            }
        }
    }

    /// The bytes that broke the protocol stay in the buffer.
    #[cold]
    fn failed(&mut self, violation: Violation) -> End {
        self.owes_discard = false;
        End::Failed(Error::Protocol(violation))
    }

    #[inline]
    fn discard_owed(&mut self) {
        if std::mem::take(&mut self.owes_discard) {
            self.buffer.discard(self.receiver.take_discard());
        }
    }

    #[inline]
    fn keep(&mut self, bytes: Range<usize>) {
        self.buffer.keep(bytes);
        // Looking again after a read that brought nothing is no sign of life.
        if std::mem::take(&mut self.fresh) {
            let under_way = self.receiver.under_way();
            self.keepalive
                .received(self.read_at.into(), under_way, &self.rules.keepalive);
        }
    }

    /// Room for one read.
    pub fn room(&mut self) -> &mut [u8] {
        self.discard_owed();
        let most = self.read_size();
        self.buffer.spare(most)
    }

    /// What one read of this peer takes at most.
    pub fn read_size(&self) -> usize {
        read_size(self.receiver.max_message())
    }

    /// Notes what a read into that room gave at `now`; the read was to end by `deadline`.
    pub fn filled<E>(&mut self, read: &Result<usize, E>, deadline: Option<Instant>, now: Instant) {
        let read = *read.as_ref().unwrap_or(&0);
        self.buffer.add(read, self.read_size());
        let at = self.since_epoch(now);
        self.read_at = at.into();
        self.fresh |= read > 0;
        if deadline.is_some_and(|deadline| stood_still(deadline, now)) {
            // What the peer sent meanwhile may wait in the socket.
            self.keepalive.resumed(at, &self.rules.keepalive);
        }
    }

    /// True if the last read filled its room: what the peer sent with it may be there.
    pub fn is_filled_up(&self) -> bool {
        self.buffer.is_filled_up()
    }

    /// Keeps the deadlines before a read that waits, and returns until when that read may wait. The time since the last
    /// read counts against nobody.
    pub fn before_read(
        &mut self,
        now: Instant,
        answers: &mut impl Answers,
    ) -> Result<Option<Instant>, End> {
        let at = self.since_epoch(now);
        self.stood_still(at.saturating_sub(self.read_at.into()));
        let due = self.due(at, answers)?;
        let close_by = answers.close_by();
        if close_by.is_some_and(|by| by <= now) {
            return Err(End::Lost);
        }
        let trim_at = self.is_oversized().then(|| now + TRIM_AFTER);
        Ok([due, close_by, trim_at].into_iter().flatten().min())
    }

    /// Keeps the deadlines when nothing came until `now`, which counts against the peer; returns when to look again.
    pub fn in_silence(
        &mut self,
        now: Instant,
        answers: &mut impl Answers,
    ) -> Result<Option<Instant>, End> {
        self.due(self.since_epoch(now), answers)
    }

    /// Pings a silent peer; gives up one that does not answer, or does not get on with its message. Returns until when
    /// nothing else is due.
    fn due(&mut self, at: Duration, answers: &mut impl Answers) -> Result<Option<Instant>, End> {
        self.discard_owed();
        self.read_at = at.into();
        loop {
            match self.keepalive.due(at, &self.rules.keepalive) {
                Due::Wait(until) => {
                    return Ok(until.and_then(|until| self.rules.epoch.checked_add(until)));
                }
                Due::Ping => answers.ping()?,
                Due::PongTimedOut if self.takes(answers.taken_at()) => {}
                Due::PongTimedOut => return Err(End::Failed(Error::PongTimeout)),
                Due::AssemblyTimedOut => return Err(End::Failed(Error::AssemblyTimeout)),
            }
        }
    }

    /// True if the peer took bytes since the last sign of life.
    fn takes(&mut self, taken_at: Option<Instant>) -> bool {
        taken_at.is_some_and(|at| self.keepalive.taken(self.since_epoch(at)))
    }

    fn since_epoch(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.rules.epoch)
    }

    /// The peer was not read from for this long.
    pub fn stood_still(&mut self, by: Duration) {
        self.discard_owed();
        // What is still in the buffer counts as read after that.
        self.read_at = self.read_at.saturating_add(by);
        self.keepalive.stood_still(by);
    }

    /// The process stood still until `now`: the peer gets one more round.
    pub fn resumed(&mut self, now: Instant) {
        self.discard_owed();
        let at = self.since_epoch(now);
        self.keepalive.resumed(at, &self.rules.keepalive);
    }

    /// How many bytes are still to come of the frame that is arriving, which belongs to a message.
    pub fn payload_left(&self) -> usize {
        self.receiver.payload_left()
    }

    /// A message, or a frame, has begun and is not complete.
    pub fn is_assembling(&self) -> bool {
        self.receiver.is_assembling()
    }

    /// A ping went out, and no sign of life has come since.
    pub fn awaits_pong(&self) -> bool {
        self.keepalive.awaits_pong()
    }

    /// How many bytes of further frames are in the buffer.
    pub fn buffered(&mut self) -> usize {
        self.discard_owed();
        self.buffer.len()
    }

    /// Lends it the room of `scratch`, if it holds nothing; true if so.
    pub fn lend(&mut self, scratch: &mut ReadBuffer) -> bool {
        self.discard_owed();
        self.buffer.borrow(scratch)
    }

    /// Gives lent room back; what is in it moves to a buffer of its own.
    #[inline]
    pub fn take_back(&mut self, scratch: &mut ReadBuffer) {
        self.discard_owed();
        self.buffer.give_back(scratch);
    }

    /// Drops what is in the buffer: no code will look at it.
    pub fn forget(&mut self) {
        self.discard_owed();
        self.buffer.discard(self.buffer.len());
    }

    /// Memory is held that an idle connection does not need.
    fn is_oversized(&self) -> bool {
        self.buffer.is_oversized() || self.receiver.is_oversized()
    }

    /// Gives that memory back, if nothing is in the buffer.
    pub fn trim(&mut self) {
        self.buffer.trim();
        self.receiver.trim();
    }
}

#[cfg(test)]
mod tests;
