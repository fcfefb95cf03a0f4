//! A clock that a test moves, for the streams in memory that run on it: it knows which threads wait in them, and until
//! when.

use std::fmt;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Condvar, Weak};
use std::time::{Duration, Instant};

use super::Waker;
use super::memory::{Duplex, DuplexEnd, pair};
use crate::atomic::AtomicU64;
use crate::limits::YEAR;
use crate::lock::{CLOCK, Mutex, lock};

/// How long a move waits, in real time, for a server that is not done with what came before it.
const PATIENCE: Duration = Duration::from_secs(1);

/// A clock that a test moves: what a server waits for over streams of this clock takes no real second.
///
/// Give one end of [`duplex`](Clock::duplex) to [`Server::attach`](crate::Server::attach). For that connection
/// heartbeat and pongs, the opening handshake, assembly, Close and writes run on this clock: a client that vanished and
/// one that is slow are a call of [`advance`](Clock::advance) away. What the application itself waits for
/// ([`recv_timeout`](crate::Events::recv_timeout), [`tick`](crate::Events::tick), a
/// [shutdown](crate::Server::shutdown)) runs on the system's, and so does the client's end,
/// [`set_timeout`](Duplex::set_timeout) of [`Duplex`].
///
/// A [`Transport`](crate::Transport) of your own around such a stream hands the clock on:
/// [`Transport::clock`](crate::Transport::clock).
///
/// The clock also runs with the system's: it is never behind it. Clones are the same clock.
///
/// The guide: [testing](crate::guide::testing).
///
/// ```
/// use std::time::Duration;
/// use wshub::{Error, Event, Limits, Server, testing};
///
/// let limits = Limits {
///     ping_interval: Some(Duration::from_secs(30)),
///     pong_timeout: Duration::from_secs(10),
///     ..Limits::default()
/// };
/// let server = Server::builder().limits(limits).without_listener()?;
/// let clock = testing::Clock::new();
/// let (ours, theirs) = clock.duplex();
/// server.attach(ours);
/// let mut client = testing::Client::open(theirs, "/")?;
/// let mut events = server.events();
/// assert!(matches!(events.recv()?, Event::Open(_)));
///
/// clock.advance(Duration::from_secs(30));
/// assert_eq!(client.read_frame()?.opcode, 9); // a ping, which this client does not answer
/// clock.advance(Duration::from_secs(10));
/// assert!(matches!(events.recv()?, Event::Error(_, Error::PongTimeout)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct Clock(Arc<ClockInner>);

#[derive(Default)]
struct ClockInner {
    /// By how many nanoseconds it is ahead of the system's.
    ahead: AtomicU64,
    state: Mutex<ClockState, CLOCK>,
    changed: Condvar,
    /// What it shows in a simulation.
    #[cfg(test)]
    simulated: Option<fn() -> Instant>,
}

#[derive(Default)]
struct ClockState {
    streams: Vec<Weak<DuplexEnd>>,
    alarms: Vec<AlarmState>,
    /// How many alarms there ever were.
    numbered: u64,
    /// Changes with all that a move waits for.
    news: u64,
}

struct AlarmState {
    number: u64,
    at: Option<Instant>,
    waker: Waker,
    /// It was woken, and has not been set again.
    rings: bool,
}

impl Clock {
    /// A clock that shows the system's time.
    pub fn new() -> Self {
        Clock::default()
    }

    /// As [`testing::duplex`](super::duplex): a pair of streams that run on this clock where a server, or
    /// [halves](crate::WebSocket::split), wait in them.
    pub fn duplex(&self) -> (Duplex, Duplex) {
        let (left, right) = pair(Some(self));
        let mut state = lock(&self.0.state);
        state.streams.retain(|stream| stream.strong_count() > 0);
        let ends = [&left, &right].map(Duplex::downgrade);
        state.streams.extend(ends);
        drop(state);
        (left, right)
    }

    /// Moves the clock, from one deadline of a stream to the next, and returns when the server has done what each of
    /// them asked for and waits again. What the client sent before has come by then.
    ///
    /// A server waits for its application, too, where that does not take events or its handler is at work: the move
    /// does so for a second at most, of real time. That time does not count against a peer.
    pub fn advance(&self, by: Duration) {
        let patience = Instant::now() + PATIENCE;
        self.settle(patience);
        let target = self.now() + by.min(YEAR);
        while let Some(next) = self.next_deadline().filter(|&next| next < target) {
            self.move_to(next);
            self.settle(patience);
        }
        self.move_to(target);
        self.settle(patience);
    }

    pub(crate) fn now(&self) -> Instant {
        #[cfg(test)]
        if let Some(now) = self.0.simulated {
            return now();
        }
        Instant::now() + self.ahead()
    }

    /// The time of the system's clock when this clock shows `at`, unless it is moved before.
    pub(crate) fn to_system(&self, at: Instant) -> Instant {
        at.checked_sub(self.ahead()).unwrap_or(at)
    }

    /// An alarm that is not set.
    pub(crate) fn alarm(&self, waker: &Waker) -> ClockAlarm {
        let mut state = lock(&self.0.state);
        state.numbered += 1;
        let number = state.numbered;
        state.alarms.push(AlarmState {
            number,
            at: None,
            waker: waker.clone(),
            rings: false,
        });
        ClockAlarm {
            clock: self.clone(),
            number,
        }
    }

    /// A thread waits in a stream of this clock, or never will again.
    pub(crate) fn note(&self) {
        lock(&self.0.state).news += 1;
        self.0.changed.notify_all();
    }

    fn ahead(&self) -> Duration {
        Duration::from_nanos(self.0.ahead.load(SeqCst))
    }

    fn move_to(&self, at: Instant) {
        let ahead = at.saturating_duration_since(Instant::now()).as_nanos();
        let ahead = u64::try_from(ahead).unwrap_or(u64::MAX);
        self.0.ahead.fetch_max(ahead, SeqCst);
        self.streams().iter().for_each(|stream| stream.wake());
        let now = self.now();
        for alarm in &mut lock(&self.0.state).alarms {
            if alarm.at.take_if(|at| *at <= now).is_some() {
                alarm.rings = true;
                alarm.waker.wake();
            }
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let now = self.now();
        let in_streams = self.streams();
        let in_streams = in_streams
            .iter()
            .flat_map(|stream| stream.deadlines())
            .flatten();
        let state = lock(&self.0.state);
        let alarms: Vec<_> = state.alarms.iter().filter_map(|alarm| alarm.at).collect();
        drop(state);
        in_streams.chain(alarms).filter(|&at| at > now).min()
    }

    /// Waits until each thread that serves a stream waits in it, and each alarm that rang was heard.
    fn settle(&self, patience: Instant) {
        loop {
            let news = lock(&self.0.state).news;
            let waiting = self.streams().iter().all(|stream| stream.is_settled());
            let mut state = lock(&self.0.state);
            if waiting && !state.alarms.iter().any(|alarm| alarm.rings) {
                return;
            }
            while state.news == news {
                let left = patience.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return;
                }
                state = state.wait_timeout(&self.0.changed, left);
            }
        }
    }

    fn streams(&self) -> Vec<Arc<DuplexEnd>> {
        let state = lock(&self.0.state);
        state.streams.iter().filter_map(Weak::upgrade).collect()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock")
            .field("ahead", &self.ahead())
            .finish()
    }
}

/// Wakes a server at a time of a clock, and is gone when it is dropped.
pub(crate) struct ClockAlarm {
    clock: Clock,
    number: u64,
}

impl ClockAlarm {
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// For the next time; what was due before is done.
    pub fn set(&self, at: Option<Instant>) {
        let mut state = lock(&self.clock.0.state);
        let alarm = state
            .alarms
            .iter_mut()
            .find(|alarm| alarm.number == self.number);
        if let Some(alarm) = alarm {
            (alarm.at, alarm.rings) = (at, false);
        }
        state.news += 1;
        self.clock.0.changed.notify_all();
    }
}

impl Drop for ClockAlarm {
    fn drop(&mut self) {
        let mut state = lock(&self.clock.0.state);
        state.alarms.retain(|alarm| alarm.number != self.number);
        state.news += 1;
        self.clock.0.changed.notify_all();
    }
}

/// The clock of a connection.
#[derive(Clone)]
pub(crate) enum TimeSource {
    System,
    Test(Clock),
}

impl TimeSource {
    #[cfg(test)]
    pub fn simulated(now: fn() -> Instant) -> Self {
        TimeSource::Test(Clock(Arc::new(ClockInner {
            simulated: Some(now),
            ..ClockInner::default()
        })))
    }

    pub fn now(&self) -> Instant {
        match self {
            TimeSource::System => Instant::now(),
            TimeSource::Test(clock) => clock.now(),
        }
    }

    /// The time, where the system's clock shows `now`.
    pub fn at(&self, now: Instant) -> Instant {
        match self {
            TimeSource::System => now,
            TimeSource::Test(clock) => clock.now(),
        }
    }
}
