//! The drain helper: one thread for all connections that writes where a socket takes bytes again,
//! sees to the deadlines of what waits, and flushes collected frames in time. It sleeps in poll(2)
//! while there is nothing to do.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::Outbox;
use super::collect::Collector;
use super::watch::Pending;
use crate::lock::lock;
use crate::patience::stood_still;
use crate::transport::{Waker, clear_wake_ups};

/// The helper's inbox.
pub(crate) struct Drain {
    /// `None` where no helper runs.
    waker: Option<Waker>,
    news: Mutex<News>,
}

#[derive(Default)]
struct News {
    outboxes: Vec<Arc<Outbox>>,
    collectors: Vec<Arc<Collector>>,
    /// The helper ends, or has: nothing more is taken.
    stopped: bool,
}

impl News {
    fn take(&mut self) -> News {
        let stopped = self.stopped;
        std::mem::replace(
            self,
            News {
                stopped,
                ..News::default()
            },
        )
    }
}

impl Drain {
    /// Starts the helper.
    pub fn start() -> io::Result<(Arc<Drain>, JoinHandle<()>)> {
        let (waker, sleep) = Waker::pair()?;
        let drain = Arc::new(Drain {
            waker: Some(waker.clone()),
            news: Mutex::default(),
        });
        let helper = Helper {
            drain: drain.clone(),
            waker,
            sleep,
            wake_at: None,
            watched: Vec::new(),
            collectors: Vec::new(),
        };
        let builder = std::thread::Builder::new()
            .name("wshub-drain".into())
            .stack_size(128 << 10);
        let thread = builder.spawn(move || helper.run())?;
        Ok((drain, thread))
    }

    /// Without a helper, for connections over which nothing ever waits.
    pub fn unattended() -> Arc<Drain> {
        Arc::new(Drain {
            waker: None,
            news: Mutex::default(),
        })
    }

    /// Without a helper, for who takes its turns by hand.
    #[cfg(test)]
    pub fn without_helper() -> Arc<Drain> {
        let (waker, _) = Waker::pair().expect("two descriptors");
        Arc::new(Drain {
            waker: Some(waker),
            news: Mutex::default(),
        })
    }

    #[cfg(test)]
    pub fn has_news(&self) -> bool {
        !lock(&self.news).outboxes.is_empty()
    }

    #[cfg(test)]
    pub fn take_news(&self) -> (Vec<Arc<Outbox>>, Vec<Arc<Collector>>) {
        let news = lock(&self.news).take();
        (news.outboxes, news.collectors)
    }

    /// Something waits in `outbox`, or it has a new deadline. False when the helper has ended.
    #[must_use]
    pub fn watch(&self, outbox: Arc<Outbox>) -> bool {
        self.tell(|news| news.outboxes.push(outbox))
    }

    /// When the helper has ended, what is collected leaves when its sender is done.
    pub fn watch_collector(&self, collector: Arc<Collector>) {
        self.tell(|news| news.collectors.push(collector));
    }

    /// Makes the helper look at everything anew.
    pub fn wake(&self) {
        self.tell(|_| {});
    }

    /// Ends the helper, and the streams for which something waits: nobody would see to them.
    pub fn stop(&self) {
        self.tell(|news| news.stopped = true);
    }

    fn tell(&self, tell: impl FnOnce(&mut News)) -> bool {
        let Some(waker) = &self.waker else {
            return true;
        };
        let mut news = lock(&self.news);
        if news.stopped {
            // What is taken now would stay for ever.
            return false;
        }
        tell(&mut news);
        drop(news);
        // fault: the helper is not woken
        waker.wake();
        true
    }
}

struct Helper {
    drain: Arc<Drain>,
    waker: Waker,
    sleep: UnixStream,
    /// Until when it meant to sleep.
    wake_at: Option<Instant>,
    watched: Vec<Watched>,
    collectors: Vec<Arc<Collector>>,
}

/// True if the process stood still: the helper meant to be awake long ago, or hears only now of a deadline that passed
/// long ago.
pub(super) fn slept_too_long(wake_at: Option<Instant>, news: &[Arc<Outbox>], now: Instant) -> bool {
    let deadlines = news.iter().filter_map(|outbox| outbox.deadline());
    deadlines.chain(wake_at).any(|at| stood_still(at, now))
}

/// An Outbox's turn; `None` when there is nothing to wait for any more.
fn serve(outbox: &Arc<Outbox>, now: Instant) -> Option<Pending> {
    outbox.contain(|| outbox.service(now)).flatten()
}

struct Watched {
    outbox: Arc<Outbox>,
    pending: Pending,
    ready: bool,
}

impl Helper {
    fn run(mut self) {
        loop {
            // fault: wake-ups are cleared behind the look
            let news = lock(&self.drain.news).take();
            if news.stopped {
                let watched = self.watched.iter().map(|watched| &watched.outbox);
                Outbox::for_each(watched.chain(&news.outboxes), |it| it.abort());
                return;
            }
            self.collectors.extend(news.collectors);
            let now = Instant::now();
            if slept_too_long(self.wake_at, &news.outboxes, now) {
                let watched = self.watched.iter().map(|watched| &watched.outbox);
                Outbox::for_each(watched.chain(&news.outboxes), |it| it.resumed(now));
            }
            self.serve_watched(now);
            self.serve_new(news.outboxes, now);
            self.wake_at = self.serve_collectors(now);
            self.sleep();
        }
    }

    /// Serves those whose socket is writable or whose deadline passed; drops those that have ended.
    fn serve_watched(&mut self, now: Instant) {
        self.watched.retain_mut(|watched| {
            let due = watched.pending.deadline.is_some_and(|at| at <= now);
            if !watched.ready && !due {
                return true;
            }
            watched.ready = false;
            match serve(&watched.outbox, now) {
                Some(pending) => {
                    watched.pending = pending;
                    true
                }
                None => false,
            }
        });
    }

    fn serve_new(&mut self, outboxes: Vec<Arc<Outbox>>, now: Instant) {
        for outbox in outboxes {
            self.watched
                .retain(|watched| !Arc::ptr_eq(&watched.outbox, &outbox));
            if let Some(pending) = serve(&outbox, now) {
                self.watched.push(Watched {
                    outbox,
                    pending,
                    ready: false,
                });
            }
        }
    }

    /// Flushes what is overdue; returns when something will be, be it a collector or a deadline.
    fn serve_collectors(&mut self, now: Instant) -> Option<Instant> {
        let mut next = self
            .watched
            .iter()
            .filter_map(|watched| watched.pending.deadline)
            .min();
        self.collectors
            .retain(|collector| match collector.service(now) {
                Some(at) => {
                    next = Some(next.map_or(at, |next| next.min(at)));
                    true
                }
                None => false,
            });
        next
    }

    /// Until something is writable, news come or a deadline is there.
    fn sleep(&mut self) {
        let (woken, polled) = self.poll();
        if woken {
            clear_wake_ups(&self.sleep);
        }
        // Transports without a descriptor wake us without saying which of them is writable.
        for watched in &mut self.watched {
            watched.ready = woken;
        }
        for (index, writable) in polled {
            if let Some(watched) = self.watched.get_mut(index) {
                // fault: woken, yet ended ones are kept
                watched.ready = writable || (woken && watched.outbox.has_ended());
            }
        }
    }

    /// Whether it was woken, and which of the watched have a descriptor, and are writable or not.
    fn poll(&self) -> (bool, Vec<(usize, bool)>) {
        let mut fds = vec![PollFd::new(&self.sleep, PollFlags::IN)];
        let mut polled = Vec::new();
        for (index, watched) in self.watched.iter().enumerate() {
            let pending = &watched.pending;
            let waits = pending.wants_write.then_some(&pending.transport);
            if let Some(fd) = waits.and_then(|stream| stream.poll_writable(&self.waker)) {
                fds.push(PollFd::from_borrowed_fd(fd, PollFlags::OUT));
                polled.push((index, false));
            }
        }
        let left = self
            .wake_at
            .map(|at| at.saturating_duration_since(Instant::now()));
        let timeout = left.and_then(|left| Timespec::try_from(left).ok());
        // An interrupted or failed poll is a look too early, nothing worse.
        let _ = poll(&mut fds, timeout.as_ref());
        let mut happened = fds.iter().map(|fd| !fd.revents().is_empty());
        let woken = happened.next().unwrap_or_default();
        for ((_, writable), happened) in polled.iter_mut().zip(happened) {
            *writable = happened;
        }
        (woken, polled)
    }
}
