//! Waiting for room in a stream that does strange things.

use super::*;

/// Answers every call in one way, at once, whatever it was asked to wait for.
struct Stubborn(fn() -> io::Result<usize>);

impl Transport for Stubborn {
    fn read(&self, _: &mut [u8], _: Option<Instant>) -> io::Result<usize> {
        self.0()
    }

    fn try_write(&self, _: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0()
    }

    fn wait_writable(&self, _: Instant) -> io::Result<()> {
        match self.0() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            _ => Ok(()),
        }
    }

    inert! { wake_when_writable, shutdown, peer_addr }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_millis(20)
}

#[test]
fn signals_end_nothing_and_no_deadline_is_passed() {
    let interrupted = Stubborn(|| Err(io::ErrorKind::Interrupted.into()));
    let error = read(&interrupted, &mut [0], Some(soon())).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    let error = write_all(&interrupted, b"x", Patience::until(soon())).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
}

#[test]
fn a_stream_that_says_it_has_room_and_takes_nothing_ends_at_the_deadline() {
    let full = Stubborn(|| Err(io::ErrorKind::WouldBlock.into()));
    let error = write_all(&full, b"x", Patience::until(soon())).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
}

#[test]
fn a_write_of_nothing_is_the_end() {
    let ended = Stubborn(|| Ok(0));
    let error = write_all(&ended, b"x", Patience::until(soon())).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WriteZero);
}
