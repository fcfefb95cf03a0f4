//! How the application thread takes events and leads meanwhile, and the coalescing of what it sends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Server;
use super::connections::ConnectionServer;
use super::desk::Desk;
use super::inbox::{Inbox, InboxItem};
use super::leader::Leader;
use crate::connection::Connection;
use crate::event::Event;
use crate::lock::lock;
use crate::logging::log_line;
use crate::message::Message;
use crate::outbox::Collecting;
use crate::outbox::broadcast::Collector;
use crate::outbox::leader_queue::Flusher;

/// The events of a server, in order; made by [`Server::events`].
///
/// As an iterator it blocks until the next event and ends when the server has shut down and every
/// `Close` was taken. Nothing a peer does ends it, and nothing wakes it but an event.
///
/// While more events wait, what this thread sends is collected per connection and leaves in one write: when no more
/// events wait, at 64 KiB, when the iterator is dropped, and in any case within 2 ms.
///
/// ```no_run
/// use std::time::Duration;
/// use wshub::{RecvError, Server};
///
/// let server = Server::bind("127.0.0.1:9001")?;
/// let mut events = server.events();
/// loop {
///     match events.recv_timeout(Duration::from_secs(1)) {
///         Ok(event) => println!("{event:?}"),
///         Err(RecvError::Empty) => println!("nothing for a second"),
///         Err(_) => break,
///     }
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// The guide: [events](crate::guide::events).
pub struct Events<'a> {
    server: &'a Server,
    connections: &'a ConnectionServer,
    desk: Desk,
    /// False for a second one beside a live one: it yields nothing.
    in_charge: bool,
    /// Other connections are ready to be read from.
    more_ready: bool,
    /// While more events wait.
    collecting: Option<Collecting<'a>>,
}

/// Why there is no event.
///
/// ```
/// use wshub::{RecvError, Server};
///
/// let server = Server::builder().without_listener()?;
/// let mut events = server.events();
/// assert_eq!(events.try_recv().unwrap_err(), RecvError::Empty);
/// server.handle().wake();
/// assert_eq!(events.recv().unwrap_err(), RecvError::Woken);
/// server.shutdown();
/// assert_eq!(events.recv().unwrap_err(), RecvError::Ended);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// The guide: [events](crate::guide::events).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecvError {
    /// None came in time.
    Empty,
    /// The server has shut down and every event was taken: no more will come.
    Ended,
    /// Another [`Events`] of this server is alive. Remedy: keep one, and take events from it.
    InUse,
    /// Another thread called [`ServerHandle::wake`](crate::ServerHandle::wake): look at what it has for
    /// you, then take the next event.
    Woken,
}

impl std::fmt::Display for RecvError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            RecvError::Empty => "no event came in time",
            RecvError::Ended => "the server has shut down: no more events will come",
            RecvError::InUse => "another Events of this server is alive: take events from that one",
            RecvError::Woken => "another thread woke this one: look at what it has, and go on",
        })
    }
}

impl std::error::Error for RecvError {}

/// How long to wait for an event.
#[derive(Clone, Copy)]
enum WaitTime {
    None,
    Until(Instant),
    Forever,
}

impl<'a> Events<'a> {
    pub(crate) fn new(server: &'a Server) -> Self {
        let desk = lock(&server.desk).take();
        if desk.is_none() {
            log_line!(
                Error,
                "events() while another Events of the server is alive: it yields nothing"
            );
        }
        Events {
            server,
            connections: &server.hub.connections,
            in_charge: desk.is_some(),
            desk: desk.unwrap_or_default(),
            more_ready: false,
            collecting: None,
        }
    }

    /// The next event; blocks until it comes.
    ///
    /// # Errors
    /// [`RecvError::Ended`] when none will come; [`RecvError::Woken`] where a thread of yours wakes this one.
    pub fn recv(&mut self) -> Result<Event, RecvError> {
        self.take(WaitTime::Forever)
    }

    /// The next event, if there is one now. Never blocks.
    ///
    /// # Errors
    /// [`RecvError::Empty`] when there is none now, [`RecvError::Ended`] when none will come.
    pub fn try_recv(&mut self) -> Result<Event, RecvError> {
        self.take(WaitTime::None)
    }

    /// The next event; blocks for at most `timeout`. For a tool with a loop of its own: the time until
    /// its next task is due is the timeout. An event that waits comes even with a timeout of zero, so
    /// such a loop does what is due before it takes the next event. A fixed schedule: [`tick`](Events::tick).
    ///
    /// # Errors
    /// [`RecvError::Empty`] when none came in time, [`RecvError::Ended`] when none will come.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Event, RecvError> {
        match Instant::now().checked_add(timeout) {
            Some(deadline) => self.take(WaitTime::Until(deadline)),
            None => self.take(WaitTime::Forever),
        }
    }

    /// False for a second one beside a live one.
    pub(crate) fn is_in_charge(&self) -> bool {
        self.in_charge
    }

    fn take(&mut self, time: WaitTime) -> Result<Event, RecvError> {
        match self.message_at_hand() {
            Some((connection, message)) => Ok(Event::Message(connection, message)),
            None => self.take_next(time),
        }
    }

    /// The next message of a batch that was taken before. Inlined where the application takes it, and an event only
    /// there: so its parts stay in registers, where copies of an event that was just written would wait for that.
    #[inline]
    fn message_at_hand(&mut self) -> Option<(Connection, Message)> {
        let message = self.desk.next_message()?;
        self.note_taken();
        Some(message)
    }

    /// The next event of what was taken before.
    fn event_at_hand(&mut self) -> Option<Event> {
        match self.message_at_hand() {
            Some((connection, message)) => Some(Event::Message(connection, message)),
            None => self.event_beside_messages(),
        }
    }

    /// The same, if no message is at hand.
    fn event_beside_messages(&mut self) -> Option<Event> {
        let event = self.desk.next_beside_messages(self.inbox())?;
        self.note_taken();
        Some(event)
    }

    #[inline]
    fn note_taken(&mut self) {
        self.inbox().taken(1);
        self.collect_while_more_waits();
    }

    /// As [`take`](Events::take), if no message is at hand. Never inlined, so that taking a message at hand costs no
    /// more.
    #[inline(never)]
    fn take_next(&mut self, time: WaitTime) -> Result<Event, RecvError> {
        if !self.in_charge {
            return Err(RecvError::InUse);
        }
        match self.event_beside_messages() {
            Some(event) => Ok(event),
            None => self.wait(time),
        }
    }

    /// As [`take`](Events::take), where nothing is at hand.
    fn wait(&mut self, time: WaitTime) -> Result<Event, RecvError> {
        let inbox = self.inbox();
        loop {
            if self.desk.ended {
                self.stop_collecting();
                return Err(RecvError::Ended);
            }
            let waits = self.server.hub.lead.application_goes_on_after();
            let item = self.receive(time);
            drop(waits);
            if item.is_err() {
                self.collect_while_more_waits();
            }
            match item? {
                InboxItem::Woken => {
                    inbox.note_woken();
                    self.collect_while_more_waits();
                    return Err(RecvError::Woken);
                }
                item => self.desk.put(inbox, &self.connections.members, item),
            }
            if let Some(event) = self.event_at_hand() {
                return Ok(event);
            }
        }
    }

    /// Takes an item that was read before, off the channel, or by leading; before it sleeps, everything that was
    /// collected leaves.
    fn receive(&mut self, time: WaitTime) -> Result<InboxItem, RecvError> {
        loop {
            if let Some(item) = self.item_at_hand() {
                return Ok(item);
            }
            self.flush_what_is_due();
            let led = (self.server.hub.lead).application_waits(|leader| {
                let item = self.lead(leader, time);
                self.more_ready = leader.has_ready();
                item
            });
            let item = led.unwrap_or_else(|| self.wait_for_the_lead(time));
            match (item, time) {
                (Some(item), _) => return Ok(item),
                (None, WaitTime::Forever) => {}
                (None, WaitTime::Until(deadline)) if deadline > Instant::now() => {}
                (None, _) => return Err(RecvError::Empty),
            }
        }
    }

    /// Leads, until a connection gave something or another thread put something in.
    fn lead(&mut self, leader: &mut Leader, time: WaitTime) -> Option<InboxItem> {
        let inbox = self.inbox();
        let mut looked = false;
        leader.go_on();
        loop {
            let read = &mut self.desk.read;
            let had_turns = leader.turns(&mut |item| inbox.put_behind(read, item));
            if let Some(item) = self.item_at_hand() {
                return Some(item);
            }
            if had_turns {
                continue;
            }
            let until = match time {
                WaitTime::None if looked => return None,
                WaitTime::None => Some(Instant::now()),
                WaitTime::Until(deadline) if looked && deadline <= Instant::now() => return None,
                WaitTime::Until(deadline) => Some(deadline),
                WaitTime::Forever => None,
            };
            match leader.has_ready() {
                true => _ = leader.see_to_collectors(),
                false => self.stop_collecting(),
            }
            let read = &mut self.desk.read;
            let mut put = |item| inbox.put_behind(read, item);
            leader.poll(until, &mut put, || inbox.is_empty_asleep());
            inbox.note_awake();
            looked = true;
        }
    }

    /// The stand-in leads: sleeps until it has put something in, or has given up the lead.
    fn wait_for_the_lead(&mut self, time: WaitTime) -> Option<InboxItem> {
        let (inbox, lead) = (self.inbox(), &self.server.hub.lead);
        self.stop_collecting();
        let deadline = match time {
            WaitTime::None => return inbox.take(),
            WaitTime::Until(deadline) => Some(deadline),
            WaitTime::Forever => None,
        };
        lead.want(true);
        let item = inbox.wait(deadline, || lead.is_free());
        lead.want(false);
        item
    }

    /// What was read before, or is in the channel.
    #[inline]
    fn item_at_hand(&mut self) -> Option<InboxItem> {
        let read = self.desk.read.pop_front();
        read.or_else(|| self.inbox().take())
    }

    #[inline]
    fn inbox(&self) -> &'a Inbox {
        &self.connections.inbox
    }

    #[inline]
    fn collector(&self) -> &'a Arc<Collector> {
        &self.connections.members.collector
    }

    /// The last event of a batch is answered together with those before it. Where none waits, bursts are collected.
    #[inline]
    pub(crate) fn collect_while_more_waits(&mut self) {
        let collector = self.collector();
        let more = self.desk.has_more()
            || self.more_ready
            || !self.inbox().is_empty()
            || !collector.is_empty();
        // Nothing changes between the messages of one read, and a new turn costs three locked instructions.
        if !more || !collector.is_active_here() {
            self.collect_anew(more);
        }
    }

    #[inline(never)]
    fn collect_anew(&mut self, more: bool) {
        // One ends before the next begins.
        self.collecting = None;
        self.collecting = Some(match more {
            true => self.collector().collect_here(),
            false => self.collector().collect_bursts_here(),
        });
    }

    /// A lead that gives much ends before the leader looks at what is collected.
    fn flush_what_is_due(&self) {
        let collector = self.collector();
        if !collector.is_empty() {
            collector.service(Instant::now());
        }
    }

    fn stop_collecting(&mut self) {
        let collector = self.collector();
        self.collecting = None;
        if !collector.is_empty() {
            collector.flush();
        }
    }
}

impl Iterator for Events<'_> {
    type Item = Event;

    #[inline]
    fn next(&mut self) -> Option<Event> {
        if let Some((connection, message)) = self.message_at_hand() {
            return Some(Event::Message(connection, message));
        }
        loop {
            match self.take_next(WaitTime::Forever) {
                Err(RecvError::Woken) => {}
                taken => return taken.ok(),
            }
        }
    }
}

impl Drop for Events<'_> {
    fn drop(&mut self) {
        if self.in_charge && !self.server.hub.lifecycle.is_of_another_process() {
            self.stop_collecting();
            *lock(&self.server.desk) = Some(std::mem::take(&mut self.desk));
        }
    }
}
