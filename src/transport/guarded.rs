//! A stream of the user's own. Its panics become errors, its counts are never more than was offered, and a wait that it
//! ends too early is begun anew: the threads that use it serve other connections, too.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Instant;

use super::{Clock, How, Source, Transport, Waker};
use crate::http::Peer;
use crate::lock::assert_no_lock;
use crate::panics;

pub(crate) struct Guarded<T: Transport> {
    /// `Some` until the drop.
    transport: Option<T>,
    /// It panicked: it is not asked again, and nothing is known of what it left half done.
    broken: AtomicBool,
    /// Asked for once: what the time is, is asked under locks, too.
    clock: Option<Clock>,
}

impl<T: Transport> Guarded<T> {
    pub fn new(transport: T) -> Self {
        let mut guarded = Guarded {
            transport: Some(transport),
            broken: AtomicBool::new(false),
            clock: None,
        };
        guarded.clock = guarded.ask(|it| it.clock().cloned()).flatten();
        guarded
    }

    /// `None` if it panics, or did before.
    fn ask<'a, R>(&'a self, question: impl FnOnce(&'a T) -> R) -> Option<R> {
        if self.broken.load(SeqCst) {
            return None;
        }
        let transport = self.transport()?;
        let answer = panics::catch(|| question(transport));
        answer.map_err(|_| self.break_off(transport)).ok()
    }

    fn ask_io<'a, R>(&'a self, question: impl FnOnce(&'a T) -> io::Result<R>) -> io::Result<R> {
        self.ask(question)
            .unwrap_or_else(|| Err(io::Error::other("the stream panicked")))
    }

    /// Code of the user's runs next, and no lock is held meanwhile.
    fn transport(&self) -> Option<&T> {
        let transport = self.transport.as_ref()?;
        if !transport.never_calls_back() {
            assert_no_lock();
        }
        Some(transport)
    }

    /// Wakes the threads that wait in it.
    fn break_off(&self, transport: &T) {
        if !self.broken.swap(true, SeqCst) {
            let _ = panics::catch(|| transport.shutdown(How::Reset));
        }
    }
}

impl<T: Transport> Transport for Guarded<T> {
    fn read(&self, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        let room = buffer.len();
        wait(self, deadline, || {
            self.ask_io(|transport| transport.read(buffer, deadline))
        })
        .map(|read| read.min(room))
    }

    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = buffer.len();
        match self.ask_io(|transport| transport.try_read(buffer)) {
            Ok(read) => Ok(read.min(room)),
            Err(error) if is_timeout(&error) => {
                #[cfg(windows)]
                self.source().into_iter().for_each(Source::found_nothing);
                Err(io::ErrorKind::WouldBlock.into())
            }
            failed => failed,
        }
    }

    fn try_write(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        let offered = buffers.iter().map(|buffer| buffer.len()).sum();
        let written = self.ask_io(|transport| transport.try_write(buffers));
        #[cfg(windows)]
        if !written.as_ref().is_ok_and(|written| *written >= offered) {
            self.source().into_iter().for_each(Source::found_no_room);
        }
        Ok(written?.min(offered))
    }

    fn wait_writable(&self, deadline: Instant) -> io::Result<()> {
        wait(self, Some(deadline), || {
            self.ask_io(|transport| transport.wait_writable(deadline))
        })
    }

    fn wake_when_writable(&self, waker: &Waker) {
        let asked = self.ask(|transport| transport.wake_when_writable(waker));
        if asked.is_none() {
            // The server is to find out that writing fails.
            waker.wake();
        }
    }

    /// It may read more from its descriptor than it is asked for.
    fn source(&self) -> Option<Source<'_>> {
        self.ask(T::source).flatten().map(Source::buffered)
    }

    fn shutdown(&self, how: How) {
        let _ = self.ask(|transport| transport.shutdown(how));
        #[cfg(windows)]
        if how != How::Write {
            self.source().into_iter().for_each(Source::note_shutdown);
        }
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        self.ask(T::peer_addr).flatten()
    }

    fn peer(&self) -> Peer {
        self.ask(T::peer).unwrap_or_default()
    }

    /// A stream of wshub's own may have come this way, too.
    fn never_calls_back(&self) -> bool {
        let transport = self.transport.as_ref();
        transport.is_some_and(T::never_calls_back)
    }

    fn clock(&self) -> Option<&Clock> {
        self.clock.as_ref()
    }
}

impl<T: Transport> Drop for Guarded<T> {
    fn drop(&mut self) {
        let _ = self.transport();
        let transport = self.transport.take();
        let _ = panics::catch(|| drop(transport));
    }
}

/// Waits in the stream until there is something, or the deadline has passed: the stream may have a timeout of its own,
/// which std calls WouldBlock on Unix. Without a deadline the wait ends now and then, because its caller has other
/// things to see to.
fn wait<R>(
    stream: &dyn Transport,
    deadline: Option<Instant>,
    mut wait: impl FnMut() -> io::Result<R>,
) -> io::Result<R> {
    loop {
        let waited = wait();
        if !waited.as_ref().is_err_and(is_timeout) {
            return waited;
        }
        if deadline.is_none_or(|deadline| deadline <= stream.now()) {
            return Err(io::ErrorKind::TimedOut.into());
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock
    )
}

#[cfg(test)]
mod tests;
