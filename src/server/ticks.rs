//! Ticks beside events: a fixed schedule that the application thread keeps while it takes events.

use std::time::{Duration, Instant};

use super::events::{Events, RecvError};
use crate::event::{Event, Step, Tick};
use crate::limits::YEAR;

/// The shortest interval. Events are waited for with the system's clock of about a millisecond.
const SHORTEST: Duration = Duration::from_millis(1);

/// The events of a server, with ticks between them; made by [`Events::tick`].
///
/// As an iterator it blocks until the next event or tick, and ends as [`Events`] does.
///
/// ```
/// use std::time::Duration;
/// use wshub::{Server, Step};
///
/// let server = Server::builder().without_listener()?;
/// let mut ticks = server.events().tick(Duration::from_millis(1));
/// let Ok(Step::Tick(first)) = ticks.recv() else { panic!("no tick") };
/// server.shutdown();
/// println!("the first tick is number {}", first.number);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// The guide: [events](crate::guide::events).
pub struct Ticks<'a> {
    events: Events<'a>,
    schedule: Schedule,
    /// When the application came back from the last tick.
    back_at: Option<Instant>,
}

impl<'a> Events<'a> {
    /// Ticks beside the events, on a fixed schedule: a loop of its own, at 50 Hz for one, without a second thread. The
    /// first tick is due one `interval` from now, and number n n intervals from now, so nothing adds up. Where the
    /// application was away for longer, it gets the latest tick, which tells how many it missed; they are not made up
    /// for. At least 1 ms, the system's clock for such waits.
    ///
    /// A tick that is due goes before events that wait. Where ticks take so long that the next one is due at once,
    /// events that wait have half an interval in between.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wshub::{Event, Server, Step};
    ///
    /// let server = Server::bind("127.0.0.1:0")?;
    /// for step in server.events().tick(Duration::from_millis(20)) {
    ///     match step {
    ///         Step::Tick(tick) => {
    ///             server.broadcast(format!("step {}", tick.number));
    /// #           if tick.number > 2 { server.handle().shutdown(); }
    ///         }
    ///         Step::Event(Event::Message(player, input)) => println!("{}: {input:?}", player.id()),
    ///         _ => {}
    ///     }
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn tick(self, interval: Duration) -> Ticks<'a> {
        Ticks::new(self, interval, Instant::now())
    }
}

impl<'a> Ticks<'a> {
    pub(crate) fn new(events: Events<'a>, interval: Duration, now: Instant) -> Self {
        Ticks {
            events,
            schedule: Schedule::new(now, interval),
            back_at: Some(now),
        }
    }

    /// The next event or tick; blocks until it comes.
    ///
    /// # Errors
    /// As [`Events::recv`]; a wake is a [`Step`] here.
    pub fn recv(&mut self) -> Result<Step, RecvError> {
        loop {
            let now = Instant::now();
            let due = self.schedule.due();
            let back_at = *self.back_at.get_or_insert(now);
            // Events have half an interval between two ticks, so that ticks that take too long do not keep them waiting
            // for good.
            if due.max(back_at + self.schedule.interval / 2) <= now {
                if let Some(tick) = self.tick(now) {
                    return Ok(tick);
                }
            }
            match self.events.recv_timeout(due.saturating_duration_since(now)) {
                Err(RecvError::Empty) => {
                    if let Some(tick) = self.tick(Instant::now()) {
                        return Ok(tick);
                    }
                }
                taken => return Step::of(taken),
            }
        }
    }

    fn tick(&mut self, now: Instant) -> Option<Step> {
        let tick = self.schedule.take(now)?;
        if !self.events.is_in_charge() {
            return None;
        }
        self.back_at = None;
        self.events.collect_while_more_waits();
        Some(Step::Tick(tick))
    }
}

impl Iterator for Ticks<'_> {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        self.recv().ok()
    }
}

impl Step {
    /// What a look for the next event gave; not every error is one.
    pub(crate) fn of(taken: Result<Event, RecvError>) -> Result<Step, RecvError> {
        match taken {
            Ok(event) => Ok(Step::Event(event)),
            Err(RecvError::Woken) => Ok(Step::Woken),
            Err(error) => Err(error),
        }
    }
}

/// Tick number n is due n intervals after the start, however late those before it were.
struct Schedule {
    start: Instant,
    interval: Duration,
    /// The number of the last tick that was taken; 0: none was.
    last: u64,
}

impl Schedule {
    fn new(start: Instant, interval: Duration) -> Self {
        Schedule {
            start,
            interval: interval.clamp(SHORTEST, YEAR),
            last: 0,
        }
    }

    /// When the next tick is due.
    fn due(&self) -> Instant {
        let nanos = self.nanos().saturating_mul(self.last.saturating_add(1));
        self.start + Duration::from_nanos(nanos)
    }

    /// The latest tick that is due; those before it that nobody took are missed.
    fn take(&mut self, now: Instant) -> Option<Tick> {
        let passed = now.saturating_duration_since(self.start).as_nanos();
        let number = u64::try_from(passed).unwrap_or(u64::MAX) / self.nanos();
        let missed = number.checked_sub(self.last)?.checked_sub(1)?;
        self.last = number;
        Some(Tick::new(number, missed))
    }

    fn nanos(&self) -> u64 {
        u64::try_from(self.interval.as_nanos()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests;
