//! All connections on one thread, which may work a while for each read.

use crate::{READ, upgrade};
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, poll};
use std::io::{ErrorKind, Read, Result, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

const LISTENER: u64 = u64::MAX;

pub fn serve(listener: TcpListener, work: Duration) -> Result<()> {
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(
        &epoll,
        &listener,
        EventData::new_u64(LISTENER),
        EventFlags::IN,
    )?;
    let mut streams = Vec::new();
    let mut buf = vec![0; READ];
    let mut events = Vec::<Event>::with_capacity(1024);
    loop {
        epoll::wait(&epoll, rustix::buffer::spare_capacity(&mut events), None)?;
        for event in events.drain(..) {
            let token = event.data.u64();
            if token == LISTENER {
                let (stream, _) = listener.accept()?;
                if upgrade(&stream).is_ok() {
                    stream.set_nonblocking(true)?;
                    let token = EventData::new_u64(streams.len() as u64);
                    epoll::add(&epoll, &stream, token, EventFlags::IN)?;
                    streams.push(Some(stream));
                }
                continue;
            }
            let slot = &mut streams[token as usize];
            if slot
                .as_ref()
                .is_some_and(|stream| echo(stream, &mut buf, work).is_err())
            {
                *slot = None;
            }
        }
    }
}

/// Sends back what one read gives, when it has worked for so long.
fn echo(mut stream: &TcpStream, buf: &mut [u8], work: Duration) -> Result<()> {
    let n = stream.read(buf)?;
    if n == 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    if work > Duration::ZERO {
        let begin = Instant::now();
        while begin.elapsed() < work {}
    }
    let mut rest = &buf[..n];
    while !rest.is_empty() {
        match stream.write(rest) {
            Ok(n) => rest = &rest[n..],
            Err(e) if e.kind() == ErrorKind::WouldBlock => {
                poll(&mut [PollFd::new(stream, PollFlags::OUT)], None)?;
            }
            Err(e) => return Err(e),
        }
    }
    Ok(())
}
