//! The thread that keeps the deadlines of sessions. It sleeps until the first is due, and for good while there is none.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Condvar, Weak};
use std::thread::Builder;
use std::time::Duration;

use super::link::SessionLink;
use super::sessions::Sessions;
use crate::atomic::AtomicU64;
use crate::lock::{Guard, Mutex, TIMER, lock};
use crate::logging::log_line;
use crate::panics;
use crate::spawn::spawn;

const STACK: usize = 256 << 10;

#[derive(Default)]
pub(crate) struct Timer {
    state: Mutex<TimerState, TIMER>,
    changed: Condvar,
    /// The deadline of the application, in nanoseconds; 0: none. It changes under the lock.
    application: AtomicU64,
}

#[derive(Default)]
struct TimerState {
    sessions: BTreeMap<(Duration, u64), Weak<SessionLink>>,
    is_running: bool,
    /// It is to look whether something is left to do.
    is_asked: bool,
    has_ended: bool,
}

impl TimerState {
    /// Takes the deadline of a session down, whose new one is to be noted.
    fn replace(&mut self, link: &SessionLink, noted: u64) {
        let before = Duration::from_nanos(link.noted.swap(noted, SeqCst));
        self.sessions.remove(&(before, link.key));
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl Timer {
    /// Starts the thread, if it does not run. It ends with [`end`](Timer::end), with the last session of a server that
    /// shuts down, or when the sessions are gone.
    pub fn start(self: &Arc<Self>, sessions: &Arc<Sessions>) -> io::Result<()> {
        let mut state = lock(&self.state);
        state.has_ended = false;
        if std::mem::replace(&mut state.is_running, true) {
            return Ok(());
        }
        drop(state);
        let (timer, sessions) = (self.clone(), Arc::downgrade(sessions));
        let builder = Builder::new().name("wshub-socketio".to_owned());
        let started = spawn(builder.stack_size(STACK), move || {
            panics::work_on(
                || timer.run(&sessions),
                |message| {
                    report(message);
                    timer.goes_on()
                },
            );
        });
        if started.is_err() {
            lock(&self.state).is_running = false;
        }
        started.map(drop)
    }

    /// Looks whether something is left to do.
    pub fn look(&self) {
        lock(&self.state).is_asked = true;
        self.changed.notify_all();
    }

    pub fn end(&self) {
        lock(&self.state).has_ended = true;
        self.changed.notify_all();
    }

    /// Looks at a session at this time, or before.
    pub fn note(&self, link: &Arc<SessionLink>, deadline: Duration) {
        let is_noted = || link.noted.load(SeqCst) <= nanos(deadline);
        // Mostly it is, and that costs no lock.
        if is_noted() {
            return;
        }
        let mut state = lock(&self.state);
        // Another thread was quicker, with an earlier one or the end.
        if is_noted() {
            return;
        }
        let before = self.first(&state);
        state.replace(link, nanos(deadline));
        state
            .sessions
            .insert((deadline, link.key), Arc::downgrade(link));
        self.wake_if_earlier(before, state);
    }

    /// A session is over: it has no deadline any more.
    pub fn forget(&self, link: &SessionLink) {
        lock(&self.state).replace(link, 0);
    }

    /// Wakes the application at this time, or before.
    pub fn note_application(&self, deadline: Duration) {
        let is_noted = || self.application().is_some_and(|noted| noted <= deadline);
        if is_noted() {
            return;
        }
        let state = lock(&self.state);
        // Another thread was quicker, with an earlier one.
        if is_noted() {
            return;
        }
        let before = self.first(&state);
        // 0 stands for none.
        self.application.store(nanos(deadline).max(1), SeqCst);
        self.wake_if_earlier(before, state);
    }

    fn application(&self) -> Option<Duration> {
        let noted = self.application.load(SeqCst);
        (noted != 0).then(|| Duration::from_nanos(noted))
    }

    fn first(&self, state: &TimerState) -> Option<Duration> {
        let session = state.sessions.keys().next().map(|(deadline, _)| *deadline);
        [session, self.application()].into_iter().flatten().min()
    }

    fn wake_if_earlier(&self, before: Option<Duration>, state: Guard<'_, TimerState>) {
        let first = self.first(&state);
        drop(state);
        if before.is_none() || first < before {
            self.changed.notify_one();
        }
    }

    fn run(&self, sessions: &Weak<Sessions>) {
        while let Some(sessions) = sessions.upgrade() {
            let now = sessions.now();
            for link in self.take_due(now) {
                // The others are due all the same.
                if let Err(panicked) = panics::catch(|| link.see_to_time(&sessions)) {
                    report(&panicked.excerpt());
                }
            }
            if self.application_is_due(now) {
                sessions.wake();
            }
            if self.is_through(&sessions) {
                return;
            }
            let started = sessions.now();
            drop(sessions);
            if !self.sleep(started) {
                return;
            }
        }
    }

    pub fn take_due(&self, now: Duration) -> Vec<Arc<SessionLink>> {
        let mut state = lock(&self.state);
        let later = state.sessions.split_off(&(now, u64::MAX));
        let due = std::mem::replace(&mut state.sessions, later);
        let due: Vec<_> = due
            .into_values()
            .filter_map(|link| link.upgrade())
            .collect();
        // prevents: a deadline that was seen to stays noted
        for link in &due {
            link.noted.store(u64::MAX, SeqCst);
        }
        due
    }

    fn application_is_due(&self, now: Duration) -> bool {
        let _state = lock(&self.state);
        let is_due = self.application().is_some_and(|deadline| deadline <= now);
        if is_due {
            self.application.store(0, SeqCst);
        }
        is_due
    }

    /// The server shuts down, and its last session is over: the application is at its end, too.
    fn is_through(&self, sessions: &Sessions) -> bool {
        let is_empty = sessions.count() == 0;
        let mut state = lock(&self.state);
        // Under the lock: a start that comes after this finds that nothing runs.
        let is_through = is_empty && sessions.is_shutting_down();
        state.is_running = !is_through;
        is_through
    }

    /// After a panic: false at the end.
    fn goes_on(&self) -> bool {
        let mut state = lock(&self.state);
        state.is_running = !state.has_ended;
        state.is_running
    }

    /// Until the next deadline, or something is to be looked at; false at the end.
    fn sleep(&self, now: Duration) -> bool {
        let mut state = lock(&self.state);
        if state.has_ended {
            state.is_running = false;
            return false;
        }
        if std::mem::take(&mut state.is_asked) {
            return true;
        }
        match self.first(&state) {
            Some(deadline) if deadline <= now => {}
            Some(deadline) => drop(state.wait_timeout(&self.changed, deadline - now)),
            None => drop(state.wait(&self.changed)),
        }
        true
    }
}

fn report(message: &str) {
    log_line!(
        Error,
        "the heartbeat of Socket.IO panicked: this is a bug of wshub: {message}"
    );
}

#[cfg(test)]
mod tests;
