//! The stream that is played, in simulated time.

use super::*;

/// The stream: the peer decides how much it takes.
pub(crate) struct Wire(pub Mutex<Line, PLAYED>, pub Whose);

/// Whether it stands for one of the user's own.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Whose {
    Ours,
    Users,
}

#[derive(Default)]
pub(crate) struct Line {
    /// Bytes that the stream takes before it blocks.
    pub room: usize,
    pub written: Vec<u8>,
    pub broken: bool,
    pub shut: Option<How>,
    /// Room that appears while somebody waits for it, and after how long; used up one by one.
    pub coming: Vec<(Duration, usize)>,
}

impl Wire {
    pub fn room_and_written(&self) -> (usize, usize) {
        let line = lock(&self.0);
        (line.room, line.written.len())
    }
}

impl Transport for Wire {
    fn read(&self, _: &mut [u8], _: Option<Instant>) -> io::Result<usize> {
        unreachable!("the simulation hands over what comes in")
    }

    fn try_write(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut line = lock(&self.0);
        assert_eq!(line.shut, None, "written to after its end");
        if line.broken {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let bytes = buffers.iter().flat_map(|buffer| buffer.iter().copied());
        let taken: Vec<u8> = bytes.take(line.room).collect();
        if taken.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        line.room -= taken.len();
        line.written.extend(&taken);
        Ok(taken.len())
    }

    fn wait_writable(&self, deadline: Instant) -> io::Result<()> {
        let mut line = lock(&self.0);
        if line.room > 0 || line.broken || line.shut.is_some() {
            return Ok(());
        }
        let left = deadline.saturating_duration_since(now());
        match line.coming.pop() {
            Some((after, room)) if after < left => {
                NOW.set(NOW.get() + after);
                line.room += room;
                Ok(())
            }
            _ => {
                NOW.set(NOW.get() + left);
                Err(io::ErrorKind::TimedOut.into())
            }
        }
    }

    fn wake_when_writable(&self, _: &Waker) {}

    fn shutdown(&self, how: How) {
        lock(&self.0).shut.get_or_insert(how);
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        None
    }

    fn never_calls_back(&self) -> bool {
        self.1 == Whose::Ours
    }
}
