//! Readiness of sockets and of a timer, by epoll.

use crate::args::Result;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::fd::{AsFd, OwnedFd};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags};
use std::time::Duration;

pub use epoll::EventFlags as Interest;

pub struct Poller {
    epoll: OwnedFd,
    events: Vec<Event>,
}

impl Poller {
    pub fn new() -> Result<Poller> {
        Ok(Poller {
            epoll: epoll::create(CreateFlags::CLOEXEC).map_err(|e| format!("epoll: {e}"))?,
            events: Vec::with_capacity(512),
        })
    }

    pub fn add(&self, fd: impl AsFd, token: usize, interest: Interest) -> Result<()> {
        epoll::add(&self.epoll, fd, EventData::new_u64(token as u64), interest)
            .map_err(|e| format!("epoll: {e}"))
    }

    pub fn change(&self, fd: impl AsFd, token: usize, interest: Interest) -> Result<()> {
        epoll::modify(&self.epoll, fd, EventData::new_u64(token as u64), interest)
            .map_err(|e| format!("epoll: {e}"))
    }

    /// Waits for at most `timeout` and puts (token, what is ready) into `ready`.
    pub fn wait(&mut self, ready: &mut Vec<(usize, EventFlags)>, timeout: Duration) -> Result<()> {
        let timeout = timeout.try_into().map_err(|_| "a timeout too long")?;
        let events = rustix::buffer::spare_capacity(&mut self.events);
        match epoll::wait(&self.epoll, events, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(format!("epoll: {e}")),
        }
        ready.clear();
        ready.extend(
            self.events
                .drain(..)
                .map(|e| (e.data.u64() as usize, e.flags)),
        );
        Ok(())
    }
}

/// A periodic timer that a [`Poller`] can wait for.
pub struct Timer(pub OwnedFd);

impl Timer {
    pub fn per_second(rate: f64) -> Result<Timer> {
        let period = Duration::try_from_secs_f64(1.0 / rate).map_err(|e| format!("--rate: {e}"))?;
        let period = period.try_into().map_err(|_| "--rate: too low")?;
        let set = || {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let fd = rustix::time::timerfd_create(TimerfdClockId::Monotonic, flags)?;
            let spec = Itimerspec {
                it_interval: period,
                it_value: period,
            };
            rustix::time::timerfd_settime(&fd, TimerfdTimerFlags::empty(), &spec)?;
            Ok(Timer(fd))
        };
        set().map_err(|e: rustix::io::Errno| format!("timer: {e}"))
    }

    /// How many periods went by since the last call.
    pub fn ticks(&self) -> usize {
        let mut count = [0; 8];
        match rustix::io::read(&self.0, &mut count) {
            Ok(8) => u64::from_ne_bytes(count) as usize,
            _ => 0,
        }
    }
}
