//! A stream socket of the system, of any family: reads with a deadline, and writes that never block.

use std::io::{self, IoSlice};
use std::os::fd::AsFd;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, recv, send, sendmsg};

use super::time_left;

/// Writes at once or not at all, and without a signal when the peer is gone (the process may be a
/// C program that leaves SIGPIPE deadly).
#[cfg(not(target_vendor = "apple"))]
const NEVER_BLOCK: SendFlags = SendFlags::DONTWAIT.union(SendFlags::NOSIGNAL);
/// As elsewhere; Apple has SO_NOSIGPIPE for the signal.
#[cfg(target_vendor = "apple")]
const NEVER_BLOCK: SendFlags = SendFlags::DONTWAIT;

/// The methods of a [`Transport`](super::Transport) that is such a socket itself.
macro_rules! socket_methods {
    () => {
        fn read(
            &self,
            buffer: &mut [u8],
            deadline: Option<std::time::Instant>,
        ) -> std::io::Result<usize> {
            crate::transport::socket::read(self, buffer, deadline)
        }

        fn try_read(&self, buffer: &mut [u8]) -> std::io::Result<usize> {
            crate::transport::socket::try_read(self, buffer)
        }

        fn try_write(&self, buffers: &[std::io::IoSlice<'_>]) -> std::io::Result<usize> {
            crate::transport::socket::try_write(self, buffers)
        }

        fn wait_writable(&self, deadline: std::time::Instant) -> std::io::Result<()> {
            crate::transport::socket::wait_writable(self, deadline)
        }

        /// Never asked for: the system says when there is room.
        fn wake_when_writable(&self, _: &crate::transport::Waker) {}

        fn source(&self) -> Option<crate::transport::Source<'_>> {
            Some(crate::transport::Source::from(self))
        }

        fn never_calls_back(&self) -> bool {
            true
        }
    };
}

pub(crate) use socket_methods;

/// Leaves the socket's timeouts and its blocking mode as they are, and minds neither.
pub(crate) fn read(
    socket: &impl AsFd,
    buffer: &mut [u8],
    deadline: Option<Instant>,
) -> io::Result<usize> {
    loop {
        match recv(socket, &mut *buffer, RecvFlags::DONTWAIT) {
            Ok((read, _)) => return Ok(read),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => wait_for(socket, PollFlags::IN, deadline)?,
            Err(error) => return Err(error.into()),
        }
    }
}

pub(crate) fn try_read(socket: &impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    Ok(recv(socket, buffer, RecvFlags::DONTWAIT)?.0)
}

pub(crate) fn try_write(socket: &impl AsFd, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
    Ok(match buffers {
        [one] => send(socket, one, NEVER_BLOCK)?,
        _ => sendmsg(
            socket,
            buffers,
            &mut SendAncillaryBuffer::default(),
            NEVER_BLOCK,
        )?,
    })
}

pub(crate) fn wait_writable(socket: &impl AsFd, deadline: Instant) -> io::Result<()> {
    wait_for(socket, PollFlags::OUT, Some(deadline))
}

fn wait_for(socket: &impl AsFd, event: PollFlags, deadline: Option<Instant>) -> io::Result<()> {
    loop {
        let timeout = match time_left(deadline)? {
            Some(left) => Some(Timespec::try_from(left).map_err(|_| io::ErrorKind::InvalidInput)?),
            None => None,
        };
        match poll(&mut [PollFd::new(socket, event)], timeout.as_ref()) {
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}
