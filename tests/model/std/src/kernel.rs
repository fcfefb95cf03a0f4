//! What poll(2) looks at: streams that live in this module, known by the number of a real but idle descriptor.

use ::std::cell::RefCell;
use ::std::collections::HashMap;
use ::std::fs::File;
use ::std::io::{self, IoSlice, Read};
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
    /// For a pair: the other end, which reads what this one writes.
    other: Option<RawFd>,
}

impl End {
    fn is_readable(&self) -> bool {
        !self.incoming.is_empty() || self.ended
    }

    fn is_writable(&self) -> bool {
        self.room > 0 || self.shut || self.broken
    }

    fn read(&mut self, buffer: &mut [u8]) -> usize {
        let taken = self.incoming.len().min(buffer.len());
        buffer[..taken].copy_from_slice(&self.incoming[..taken]);
        self.incoming.drain(..taken);
        taken
    }
}

struct Kernel {
    lock: Arc<Mutex<()>>,
    changed: Arc<Condvar>,
    ends: HashMap<RawFd, End>,
}

impl Kernel {
    fn new() -> Self {
        Kernel {
            lock: Arc::new(Mutex::new(())),
            changed: Arc::default(),
            ends: HashMap::new(),
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
    wait(Some(Instant::now() + Duration::from_nanos(1)), || false);
}

/// send(2) that never blocks.
pub fn send(fd: RawFd, bytes: &[u8]) -> io::Result<usize> {
    call(|| {
        let Some(other) = with(fd, |end| end.other) else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        with(other, |end| end.incoming.extend(bytes));
        Ok(bytes.len())
    })
}

fn open() -> io::Result<OwnedFd> {
    let fd = OwnedFd::from(File::open("/dev/null")?);
    KERNEL.with_borrow_mut(|kernel| kernel.ends.insert(fd.as_raw_fd(), End::default()));
    Ok(fd)
}

/// One end of a pair.
#[derive(Debug)]
pub struct UnixStream(OwnedFd);

impl UnixStream {
    pub fn pair() -> io::Result<(UnixStream, UnixStream)> {
        let (left, right) = (open()?, open()?);
        with(left.as_raw_fd(), |end| end.other = Some(right.as_raw_fd()));
        with(right.as_raw_fd(), |end| end.other = Some(left.as_raw_fd()));
        Ok((UnixStream(left), UnixStream(right)))
    }

    /// They never block here.
    pub fn set_nonblocking(&self, _: bool) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for UnixStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Read for &UnixStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match call(|| with(self.0.as_raw_fd(), |end| end.read(buffer))) {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            read => Ok(read),
        }
    }
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
                for buffer in buffers {
                    let part = &buffer[..buffer.len().min(end.room)];
                    end.written.extend_from_slice(part);
                    end.room -= part.len();
                    written += part.len();
                }
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

    pub fn shutdown(&self, how: Shutdown, reset: bool) {
        call(|| {
            self.with(|end| {
                end.shut |= how != Shutdown::Read;
                end.ended |= how != Shutdown::Write;
                end.reset |= reset;
            });
        });
    }

    /// The peer sends bytes.
    pub fn feed(&self, bytes: &[u8]) {
        call(|| self.with(|end| end.incoming.extend(bytes)));
    }

    /// The peer sends its end of stream.
    pub fn end(&self) {
        call(|| self.with(|end| end.ended = true));
    }

    /// The peer takes so many bytes more.
    pub fn make_room(&self, bytes: usize) {
        call(|| self.with(|end| end.room += bytes));
    }

    /// The peer is gone without a word.
    pub fn break_off(&self) {
        call(|| {
            self.with(|end| {
                end.broken = true;
                end.ended = true;
            });
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
