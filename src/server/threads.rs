//! The threads of a server, counted until each has really left. Only the shutdown waits for a thread that leaves, and
//! with a deadline.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Condvar};
use std::thread::{Builder, JoinHandle};
use std::time::Instant;

use crate::address_space;
use crate::lock::{Mutex, THREADS, lock};
use crate::logging::log_line;
use crate::panics;
use crate::patience::Grace;
use crate::spawn::spawn;

/// The stack that std gives its threads. A page of it that is not touched costs no memory.
pub(crate) const USUAL_STACK: usize = 2 << 20;

pub(crate) struct ServerThreads {
    max_threads: usize,
    stack_size: usize,
    roster: Mutex<ThreadRoster, THREADS>,
    /// Notified when a thread has left.
    left: Condvar,
}

#[derive(Default)]
struct ThreadRoster {
    /// Threads that have not signed off, each with its handle once the thread that started it has stored that.
    aboard: HashMap<u64, Option<JoinHandle<()>>>,
    /// Threads that have signed off and that the shutdown joins.
    gone: Vec<JoinHandle<()>>,
    /// Stacks of threads that have left, which the next ones get.
    kept_stacks: usize,
    next_id: u64,
    /// The shutdown waits: no thread starts any more.
    ending: bool,
}

/// Why no thread was started. Its work was dropped.
pub(crate) enum NotStarted {
    Full,
    Stopping,
    /// Too little address space is left.
    NoRoom,
    /// The system gave no thread.
    Spawn(io::Error),
}

impl fmt::Display for NotStarted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotStarted::Full => f.write_str("every thread is busy"),
            NotStarted::Stopping => f.write_str("the server is shutting down"),
            NotStarted::NoRoom => f.write_str("too little address space is left (ulimit -v)"),
            NotStarted::Spawn(error) => error.fmt(f),
        }
    }
}

impl NotStarted {
    pub fn into_io(self) -> io::Error {
        match self {
            NotStarted::Spawn(error) => error,
            refused => io::Error::other(refused.to_string()),
        }
    }
}

std::thread_local! {
    /// The first thread-local of a thread of ours, so that its destructor is the last to run (std keeps
    /// them as a stack): behind those of hooks and closures, which may take their time or never return.
    static SIGN_OFF: RefCell<Option<SignOff>> = const { RefCell::new(None) };
}

struct SignOff {
    threads: Arc<ServerThreads>,
    id: u64,
    /// The thread started, so it has a stack to leave behind.
    has_stack: bool,
}

impl Drop for SignOff {
    fn drop(&mut self) {
        self.threads.sign_off(self.id, self.has_stack);
    }
}

impl ServerThreads {
    pub fn new(max_threads: usize, stack_size: usize) -> Arc<Self> {
        Arc::new(ServerThreads {
            max_threads,
            stack_size,
            roster: Mutex::default(),
            left: Condvar::new(),
        })
    }

    /// Starts a thread; `name` is given its number.
    pub fn start(
        self: &Arc<Self>,
        name: impl FnOnce(u64) -> String,
        work: impl FnOnce() + Send + 'static,
    ) -> Result<(), NotStarted> {
        let mut sign_off = self.sign_on()?;
        let id = sign_off.id;
        let name = name(id);
        let builder = Builder::new()
            .name(name.clone())
            .stack_size(self.stack_size);
        // Without the lock: a thread takes its time to start, and others sign off meanwhile.
        let started = spawn(builder, move || {
            sign_off.has_stack = true;
            SIGN_OFF.with(|slot| slot.replace(Some(sign_off)));
            if let Err(panicked) = panics::catch(work) {
                let message = panicked.excerpt();
                log_line!(
                    Error,
                    "the thread {name} panicked and is gone: this is a bug of wshub: {message}"
                );
            }
        });
        // The closure of a thread that does not start is dropped, and signs off by that.
        let handle = started.map_err(NotStarted::Spawn)?;
        if let Some(place) = lock(&self.roster).aboard.get_mut(&id) {
            *place = Some(handle);
        }
        Ok(())
    }

    fn sign_on(self: &Arc<Self>) -> Result<SignOff, NotStarted> {
        let mut roster = lock(&self.roster);
        if roster.ending {
            return Err(NotStarted::Stopping);
        }
        if roster.aboard.len() >= self.max_threads {
            return Err(NotStarted::Full);
        }
        roster.kept_stacks = roster.kept_stacks.saturating_sub(1);
        roster.next_id += 1;
        let id = roster.next_id;
        roster.aboard.insert(id, None);
        drop(roster);
        Ok(SignOff {
            threads: self.clone(),
            id,
            has_stack: false,
        })
    }

    fn sign_off(&self, id: u64, leaves_stack: bool) {
        let most_kept = address_space::most_kept_stacks(self.stack_size);
        let mut roster = lock(&self.roster);
        let kept_stacks = roster.kept_stacks + usize::from(leaves_stack);
        roster.kept_stacks = kept_stacks.min(most_kept);
        let handle = roster.aboard.remove(&id).flatten();
        // Otherwise the handle is dropped, and the thread is detached.
        if roster.ending {
            roster.gone.extend(handle);
        }
        drop(roster);
        // prevents: a thread leaves and tells nobody
        self.left.notify_all();
    }

    pub fn count(&self) -> usize {
        lock(&self.roster).aboard.len()
    }

    /// Whether the next thread gets the stack of one that has left. Where a thread of another's took that, the next one
    /// takes its stack from what is left: only one, for then there is room for no job.
    pub fn keeps_stack(&self) -> bool {
        lock(&self.roster).kept_stacks > 0
    }

    /// False once the shutdown waits.
    pub fn go_on(&self) -> bool {
        !lock(&self.roster).ending
    }

    /// One if this thread is of these, else none.
    fn own(&self) -> usize {
        let is_own = |slot: &RefCell<Option<SignOff>>| {
            let slot = slot.borrow();
            let sign_off = slot.as_ref();
            sign_off.is_some_and(|it| std::ptr::eq(&*it.threads, self))
        };
        // Err: this thread has no thread-locals any more.
        usize::from(SIGN_OFF.try_with(is_own).unwrap_or(false))
    }

    /// Waits for all threads but the `busy` ones, at most until the deadline, or longer where the process stands still,
    /// and joins those that have left; returns how many are there still. A thread does not wait for itself, nor count
    /// itself.
    pub fn wait(&self, busy: impl Fn() -> usize, deadline: Instant) -> usize {
        let own = self.own();
        let mut grace = Grace::until(deadline);
        let mut roster = lock(&self.roster);
        roster.ending = true;
        // prevents: a stop waits for nobody
        while roster.aboard.len() > busy().max(own) {
            let Some(wait) = grace.next_wait(Instant::now()) else {
                break;
            };
            roster = roster.wait_timeout(&self.left, wait);
        }
        let (there, gone) = (roster.aboard.len() - own, std::mem::take(&mut roster.gone));
        drop(roster);
        for thread in gone {
            // The thread has nothing left to do that takes time.
            let _ = thread.join();
        }
        there
    }
}

#[cfg(test)]
mod tests;
