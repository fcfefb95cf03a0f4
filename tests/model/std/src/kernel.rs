//! What poll(2) and epoll(7) look at: streams that live in this module, known by the number of a real but idle
//! descriptor.

use ::std::cell::RefCell;
use ::std::collections::HashMap;
use ::std::fs::File;
use ::std::io::{self, IoSlice};
use ::std::net::Shutdown;
use ::std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use ::std::sync::{Arc, PoisonError};
use ::std::time::Duration;

use shuttle::sync::{Mutex, MutexGuard};

use crate::clock::Instant;
use crate::condvar::Condvar;

/// One end of a stream: what it reads, what it may write and wrote.
#[derive(Default)]
struct End {
    incoming: Vec<u8>,
    /// No more comes in, and a read says so.
    ended: bool,
    /// Bytes that a write takes before it would block.
    room: usize,
    written: Vec<u8>,
    /// Nothing may be written any more.
    shut: bool,
    reset: bool,
    broken: bool,
    /// A write found no room for all it had: that there is room again is news.
    crowded: bool,
    /// Called once there is room again.
    on_room: Option<Box<dyn FnOnce()>>,
}

impl End {
    fn is_readable(&self) -> bool {
        !self.incoming.is_empty() || self.ended
    }

    fn is_writable(&self) -> bool {
        self.room > 0 || self.shut || self.broken
    }

    fn report(&self, token: usize) -> Reported {
        Reported {
            token,
            readable: self.is_readable(),
            writable: self.is_writable(),
            read_closed: self.ended,
            write_closed: (self.ended && self.shut) || self.broken,
            error: self.broken,
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> usize {
        let taken = self.incoming.len().min(buffer.len());
        buffer[..taken].copy_from_slice(&self.incoming[..taken]);
        self.incoming.drain(..taken);
        taken
    }
}

/// Who is watched, edge-triggered: each is looked at once after a change, and reported if it is ready then.
#[derive(Default)]
struct Watched {
    tokens: HashMap<RawFd, usize>,
    changed: Vec<RawFd>,
    woken: Vec<usize>,
}

struct Kernel {
    lock: Arc<Mutex<()>>,
    changed: Arc<Condvar>,
    ends: HashMap<RawFd, End>,
    watchers: Vec<Watched>,
}

impl Kernel {
    fn new() -> Self {
        Kernel {
            lock: Arc::new(Mutex::new(())),
            changed: Arc::default(),
            ends: HashMap::new(),
            watchers: Vec::new(),
        }
    }

    /// Something is new at `fd`.
    fn note_change(&mut self, fd: RawFd) {
        for watcher in &mut self.watchers {
            if watcher.tokens.contains_key(&fd) && !watcher.changed.contains(&fd) {
                watcher.changed.push(fd);
            }
        }
    }
}

::std::thread_local! {
    static KERNEL: RefCell<Kernel> = RefCell::new(Kernel::new());
}

pub(crate) fn reset() {
    KERNEL.set(Kernel::new());
}

fn parts() -> (Arc<Mutex<()>>, Arc<Condvar>) {
    KERNEL.with_borrow(|kernel| (kernel.lock.clone(), kernel.changed.clone()))
}

fn enter(lock: &Mutex<()>) -> MutexGuard<'_, ()> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

fn with<T>(fd: RawFd, with: impl FnOnce(&mut End) -> T) -> T {
    KERNEL.with_borrow_mut(|kernel| with(kernel.ends.entry(fd).or_default()))
}

/// A system call that may change what others wait for.
fn call<T>(change: impl FnOnce() -> T) -> T {
    let (lock, changed) = parts();
    let guard = enter(&lock);
    let done = change();
    drop(guard);
    changed.notify_all();
    done
}

/// A system call that waits; false when the deadline passed.
fn wait(deadline: Option<Instant>, mut done: impl FnMut() -> bool) -> bool {
    let (lock, changed) = parts();
    let mut guard = enter(&lock);
    while !done() {
        guard = match deadline {
            None => changed.wait(guard).unwrap_or_else(PoisonError::into_inner),
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return false;
                }
                changed
                    .wait_timeout(guard, left)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
            }
        };
    }
    true
}

/// What poll(2) is asked about one descriptor, and answers.
pub struct Polled {
    pub fd: RawFd,
    pub write: bool,
    pub ready: bool,
}

pub fn poll(polled: &mut [Polled], timeout: Option<Duration>) -> usize {
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let mut count = 0;
    wait(deadline, || {
        for one in polled.iter_mut() {
            one.ready = with(one.fd, |end| match one.write {
                true => end.is_writable(),
                false => end.is_readable(),
            });
        }
        count = polled.iter().filter(|one| one.ready).count();
        count > 0
    });
    count
}

/// Waits until every other thread waits; where the clock is in no hurry.
pub fn settle() {
    pass(Duration::from_nanos(1));
}

/// Does something else for so long.
pub fn pass(time: Duration) {
    wait(Some(Instant::now() + time), || false);
}

/// What watches many descriptors at once, edge-triggered as epoll(7) with EPOLLET.
#[derive(Clone)]
pub struct Watcher(usize);

/// What is reported of one descriptor.
pub struct Reported {
    pub token: usize,
    pub readable: bool,
    pub writable: bool,
    pub read_closed: bool,
    pub write_closed: bool,
    pub error: bool,
}

impl Watcher {
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        KERNEL.with_borrow_mut(|kernel| {
            kernel.watchers.push(Watched::default());
            Watcher(kernel.watchers.len() - 1)
        })
    }

    fn with<T>(&self, with: impl FnOnce(&mut Watched) -> T) -> T {
        KERNEL.with_borrow_mut(|kernel| with(&mut kernel.watchers[self.0]))
    }

    /// Watches `fd`, from its present state on.
    pub fn add(&self, fd: RawFd, token: usize) -> io::Result<()> {
        call(|| {
            self.with(|watched| {
                if watched.tokens.contains_key(&fd) {
                    return Err(io::ErrorKind::AlreadyExists.into());
                }
                watched.tokens.insert(fd, token);
                watched.changed.push(fd);
                Ok(())
            })
        })
    }

    pub fn remove(&self, fd: RawFd) -> io::Result<()> {
        call(|| {
            self.with(|watched| {
                watched.changed.retain(|changed| *changed != fd);
                let token = watched.tokens.remove(&fd);
                token.map(drop).ok_or(io::ErrorKind::NotFound.into())
            })
        })
    }

    /// Has whoever waits, now or next, return with `token`.
    pub fn wake(&self, token: usize) {
        call(|| self.with(|watched| watched.woken.push(token)));
    }

    /// Waits until somebody is ready, and reports at most so many.
    pub fn wait(&self, most: usize, timeout: Option<Duration>) -> Vec<Reported> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut reported = Vec::new();
        wait(deadline, || {
            reported = self.report(most);
            !reported.is_empty()
        });
        reported
    }

    fn report(&self, most: usize) -> Vec<Reported> {
        KERNEL.with_borrow_mut(|kernel| {
            let watched = &mut kernel.watchers[self.0];
            let mut reported = Vec::new();
            if let Some(token) = watched.woken.pop() {
                watched.woken.clear();
                reported.push(Reported {
                    token,
                    readable: true,
                    writable: false,
                    read_closed: false,
                    write_closed: false,
                    error: false,
                });
            }
            while reported.len() < most && !watched.changed.is_empty() {
                let fd = watched.changed.remove(0);
                let (token, end) = (watched.tokens[&fd], &kernel.ends[&fd]);
                if end.is_readable() || end.is_writable() {
                    reported.push(end.report(token));
                }
            }
            reported
        })
    }
}

fn open() -> io::Result<OwnedFd> {
    let fd = OwnedFd::from(File::open("/dev/null")?);
    KERNEL.with_borrow_mut(|kernel| kernel.ends.insert(fd.as_raw_fd(), End::default()));
    Ok(fd)
}

/// A connection's stream: the server's end by [`read`](Stream::read) and [`write`](Stream::write), the peer's by what
/// stands below them.
pub struct Stream(OwnedFd);

impl Stream {
    /// A stream that takes `room` bytes until the peer reads.
    pub fn new(room: usize) -> Self {
        let fd = open().expect("a descriptor");
        with(fd.as_raw_fd(), |end| end.room = room);
        Stream(fd)
    }

    fn with<T>(&self, change: impl FnOnce(&mut End) -> T) -> T {
        with(self.0.as_raw_fd(), change)
    }

    /// Something changes that those who watch the stream are told of.
    fn change(&self, change: impl FnOnce(&mut End)) {
        self.change_if(|end| {
            change(end);
            true
        });
    }

    /// As [`change`](Stream::change), where `change` says so.
    fn change_if(&self, change: impl FnOnce(&mut End) -> bool) {
        let on_room = call(|| {
            if self.with(change) {
                KERNEL.with_borrow_mut(|kernel| kernel.note_change(self.0.as_raw_fd()));
            }
            self.with(|end| match end.is_writable() {
                true => end.on_room.take(),
                false => None,
            })
        });
        if let Some(on_room) = on_room {
            on_room();
        }
    }

    pub fn read(&self, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        match wait(deadline, || self.with(|end| end.is_readable())) {
            true => Ok(call(|| self.with(|end| end.read(buffer)))),
            false => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    pub fn write(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        call(|| {
            self.with(|end| {
                if end.shut || end.broken {
                    return Err(io::ErrorKind::BrokenPipe.into());
                }
                let mut written = 0;
                let wanted: usize = buffers.iter().map(|buffer| buffer.len()).sum();
                for buffer in buffers {
                    let part = &buffer[..buffer.len().min(end.room)];
                    end.written.extend_from_slice(part);
                    end.room -= part.len();
                    written += part.len();
                }
                end.crowded = written < wanted;
                match written {
                    0 => Err(io::ErrorKind::WouldBlock.into()),
                    _ => Ok(written),
                }
            })
        })
    }

    pub fn wait_writable(&self, deadline: Instant) -> io::Result<()> {
        match wait(Some(deadline), || self.with(|end| end.is_writable())) {
            true => Ok(()),
            false => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// Has `wake` called once there is room, now or later.
    pub fn when_writable(&self, wake: impl FnOnce() + 'static) {
        let now = call(|| {
            self.with(|end| match end.is_writable() {
                true => Some(wake),
                false => {
                    end.on_room = Some(Box::new(wake));
                    None
                }
            })
        });
        if let Some(wake) = now {
            wake();
        }
    }

    pub fn shutdown(&self, how: Shutdown, reset: bool) {
        self.change(|end| {
            end.shut |= how != Shutdown::Read;
            end.ended |= how != Shutdown::Write;
            end.reset |= reset;
        });
    }

    /// The peer sends bytes.
    pub fn feed(&self, bytes: &[u8]) {
        self.change(|end| end.incoming.extend(bytes));
    }

    /// The peer sends its end of stream.
    pub fn end(&self) {
        self.change(|end| end.ended = true);
    }

    /// The peer takes so many bytes more. As with TCP that is news only to a writer who found too little room.
    pub fn make_room(&self, bytes: usize) {
        self.change_if(|end| {
            end.room += bytes;
            ::std::mem::take(&mut end.crowded)
        });
    }

    /// The peer is gone without a word.
    pub fn break_off(&self) {
        self.change(|end| {
            end.broken = true;
            end.ended = true;
        });
    }

    /// Waits until `done` says so of the bytes that were written; false when the server's end was shut before.
    pub fn wait_written(&self, done: impl Fn(&[u8]) -> bool) -> bool {
        wait(None, || self.with(|end| done(&end.written) || end.shut));
        self.with(|end| done(&end.written))
    }

    pub fn wait_shut(&self) {
        wait(None, || self.with(|end| end.shut));
    }

    pub fn written(&self) -> Vec<u8> {
        self.with(|end| end.written.clone())
    }

    pub fn is_shut(&self) -> bool {
        self.with(|end| end.shut)
    }

    pub fn was_reset(&self) -> bool {
        self.with(|end| end.reset)
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let fd = self.0.as_raw_fd();
        let closed = KERNEL.with_borrow_mut(|kernel| {
            for watcher in &mut kernel.watchers {
                watcher.tokens.remove(&fd);
                watcher.changed.retain(|changed| *changed != fd);
            }
            kernel.ends.remove(&fd)
        });
        drop(closed);
    }
}
