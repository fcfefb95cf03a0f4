//! What a stream of the user's own may say of a wait.

use super::*;
use crate::transport::inert;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

/// Gives up a few times before there is something.
struct Hasty {
    kind: io::ErrorKind,
    times: AtomicUsize,
}

impl Hasty {
    fn guarded(kind: io::ErrorKind) -> Guarded<Self> {
        Guarded::new(Hasty {
            kind,
            times: AtomicUsize::new(3),
        })
    }

    fn look(&self) -> io::Result<()> {
        let left = |times: usize| times.checked_sub(1);
        match self.times.fetch_update(Relaxed, Relaxed, left) {
            Ok(_) => Err(self.kind.into()),
            Err(_) => Ok(()),
        }
    }
}

impl Transport for Hasty {
    fn read(&self, buffer: &mut [u8], _: Option<Instant>) -> io::Result<usize> {
        self.look().map(|()| buffer.len())
    }

    fn try_write(&self, _: &[io::IoSlice<'_>]) -> io::Result<usize> {
        unreachable!("nobody writes")
    }

    fn wait_writable(&self, _: Instant) -> io::Result<()> {
        self.look()
    }

    inert! { wake_when_writable, shutdown, peer_addr }
}

/// A stream that panics when its clock is asked for a second time, or the first.
struct Clocked {
    clock: Clock,
    asked: AtomicUsize,
    most: usize,
}

impl Transport for Clocked {
    fn read(&self, _: &mut [u8], _: Option<Instant>) -> io::Result<usize> {
        Ok(1)
    }

    inert! { try_write, wait_writable, wake_when_writable, shutdown, peer_addr }

    fn clock(&self) -> Option<&Clock> {
        if self.asked.fetch_add(1, Relaxed) >= self.most {
            std::panic::resume_unwind(Box::new("on purpose"));
        }
        Some(&self.clock)
    }
}

/// Later questions about the time come under locks.
#[test]
fn m02_the_clock_of_a_stream_is_asked_for_once_and_may_panic() {
    let guarded = |most| {
        Guarded::new(Clocked {
            clock: Clock::new(),
            asked: AtomicUsize::new(0),
            most,
        })
    };
    let stream = guarded(1);
    assert!((0..3).all(|_| stream.clock().is_some()));
    assert_eq!(stream.read(&mut [0; 7], None).unwrap(), 1);
    let stream = guarded(0);
    assert!(stream.clock().is_none());
    assert!(stream.read(&mut [0; 7], None).is_err());
}

const TIMEOUTS: [io::ErrorKind; 2] = [io::ErrorKind::TimedOut, io::ErrorKind::WouldBlock];

#[test]
fn m02_a_wait_that_is_ended_before_its_time_is_begun_anew() {
    let (past, later) = (Instant::now(), Instant::now() + Duration::from_secs(60));
    for kind in TIMEOUTS {
        let read = |deadline| Hasty::guarded(kind).read(&mut [0; 7], Some(deadline));
        assert_eq!(read(later).unwrap(), 7);
        assert_eq!(read(past).unwrap_err().kind(), io::ErrorKind::TimedOut);
        let wait = |deadline| Hasty::guarded(kind).wait_writable(deadline);
        wait(later).unwrap();
        assert_eq!(wait(past).unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}

/// Whoever reads without a deadline sees to other things, and asks again.
#[test]
fn m02_without_a_deadline_the_end_of_a_wait_is_told_as_a_timeout() {
    for kind in TIMEOUTS {
        let error = Hasty::guarded(kind).read(&mut [0; 7], None).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
