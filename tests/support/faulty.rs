//! A stream in memory that fails where it is told to, and writes down what went through it.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use wshub::testing::Duplex;
use wshub::{How, Transport, Waker};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A read, a write or a wait returns this.
    Error(ErrorKind),
    /// A read returns 0, a write takes 0; a wait returns at once, a wake-up is lost.
    End,
}

/// When it goes wrong. Operations (reads, writes, waits, asking for a wake-up) are counted from 0.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub fault: Fault,
    /// The first operation that fails; `usize::MAX`: none.
    pub first: usize,
    /// How many fail from there on.
    pub count: usize,
    /// So many operations move one byte each.
    pub single_bytes: usize,
}

impl Plan {
    pub const NOTHING: Plan = Plan {
        fault: Fault::End,
        first: usize::MAX,
        count: 0,
        single_bytes: 0,
    };
}

/// What an observer sees of a [`Faulty`], alive or gone.
#[derive(Default)]
pub struct Trace {
    operations: AtomicUsize,
    written: Mutex<Vec<u8>>,
}

impl Trace {
    pub fn operations(&self) -> usize {
        self.operations.load(SeqCst)
    }

    /// Every byte that was taken for the peer.
    pub fn written(&self) -> Vec<u8> {
        self.written.lock().unwrap().clone()
    }

    /// How many whole messages were written after a 101; says what is wrong with the frames. Nothing follows a Close.
    pub fn whole_messages(&self) -> Result<u64, String> {
        let written = self.written();
        let mut rest = match written.windows(4).position(|end| end == b"\r\n\r\n") {
            Some(head) if written.starts_with(b"HTTP/1.1 101 ") => &written[head + 4..],
            _ => return Ok(0),
        };
        let (mut messages, mut closed) = (0, false);
        while !rest.is_empty() {
            if closed {
                return Err("something after the Close".into());
            }
            if !matches!(rest[0], 0x81 | 0x82 | 0xC1 | 0xC2 | 0x88..=0x8A) {
                return Err(format!("a frame that begins with {:#x}", rest[0]));
            }
            let Some((payload, behind)) = split_frame(rest) else {
                break;
            };
            messages += u64::from(!matches!(rest[0], 0x88..=0x8A));
            closed = rest[0] == 0x88;
            if closed && payload.len() == 1 {
                return Err("half a close code".into());
            }
            rest = behind;
        }
        Ok(messages)
    }
}

/// The payload of the server's frame at the front, and what is after it; `None` while it is not whole.
pub fn split_frame(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, head) = match *bytes.get(1)? {
        126 => (
            u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?).into(),
            4,
        ),
        127 => (u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?), 10),
        len => (len.into(), 2),
    };
    bytes.get(head..)?.split_at_checked(len as usize)
}

/// A server's end of a duplex, with faults.
pub struct Faulty {
    inner: Duplex,
    plan: Plan,
    trace: Arc<Trace>,
}

impl Faulty {
    pub fn new(inner: Duplex, plan: Plan, trace: &Arc<Trace>) -> Faulty {
        Faulty {
            inner,
            plan,
            trace: trace.clone(),
        }
    }

    /// The fault of this operation, if it is one's turn, and how many bytes it may move.
    fn turn(&self) -> (Option<Fault>, usize) {
        let Plan {
            fault,
            first,
            count,
            single_bytes,
        } = self.plan;
        let number = self.trace.operations.fetch_add(1, SeqCst);
        let fails = number >= first && number - first < count;
        let most = if number < single_bytes { 1 } else { usize::MAX };
        (fails.then_some(fault), most)
    }
}

impl Transport for Faulty {
    fn read(&self, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        let (fault, most) = self.turn();
        match fault {
            Some(Fault::Error(kind)) => Err(kind.into()),
            Some(Fault::End) => Ok(0),
            None => {
                let most = most.min(buffer.len());
                Transport::read(&self.inner, &mut buffer[..most], deadline)
            }
        }
    }

    fn try_write(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        let (fault, most) = self.turn();
        match fault {
            Some(Fault::Error(kind)) => return Err(kind.into()),
            Some(Fault::End) => return Ok(0),
            None => {}
        }
        let first = buffers
            .iter()
            .find(|buffer| !buffer.is_empty())
            .map_or(&[][..], |buffer| &buffer[..most.min(buffer.len())]);
        let one = [IoSlice::new(first)];
        let offered = if most == 1 { &one[..] } else { buffers };
        let mut written = self.trace.written.lock().unwrap();
        let taken = self.inner.try_write(offered)?;
        let bytes = offered.iter().flat_map(|buffer| buffer.iter());
        written.extend(bytes.take(taken));
        Ok(taken)
    }

    fn wait_writable(&self, deadline: Instant) -> io::Result<()> {
        match self.turn().0 {
            Some(Fault::Error(kind)) => Err(kind.into()),
            Some(Fault::End) => Ok(()),
            None => self.inner.wait_writable(deadline),
        }
    }

    fn wake_when_writable(&self, waker: &Waker) {
        match self.turn().0 {
            Some(Fault::Error(ErrorKind::WouldBlock | ErrorKind::Interrupted)) => waker.wake(),
            Some(_) => {}
            None => self.inner.wake_when_writable(waker),
        }
    }

    fn shutdown(&self, how: How) {
        self.inner.shutdown(how);
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        None
    }
}

/// A client's end of a duplex: blocks as a socket with a timeout does.
pub struct Timed {
    inner: Duplex,
    patience: Duration,
}

impl Timed {
    pub fn new(inner: Duplex, patience: Duration) -> Timed {
        Timed { inner, patience }
    }

    pub fn shutdown(&self, how: How) {
        self.inner.shutdown(how);
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Transport::read(&self.inner, buffer, Some(Instant::now() + self.patience))
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.inner.wait_writable(Instant::now() + self.patience)?;
        self.inner.try_write(&[IoSlice::new(bytes)])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
