//! An upgraded connection that never blocks.

use crate::args::Result;
use crate::frame::{Frame, Reader, Received};
use crate::poller::{Interest, Poller};
use crate::stream::Stream;
use crate::target::Target;
use std::io::{ErrorKind, Read, Write};

pub struct Connection {
    stream: Stream,
    reader: Reader,
    unsent: Vec<u8>,
    token: usize,
}

impl Connection {
    pub fn open(target: &Target, poller: &Poller, token: usize) -> Result<Connection> {
        let stream = target
            .connect()
            .map_err(|e| format!("connection {token}: {e}"))?;
        poller.add(&stream, token, Interest::IN)?;
        Ok(Connection {
            stream,
            reader: Reader::default(),
            unsent: Vec::new(),
            token,
        })
    }

    /// Opens `count` of them, with the tokens 0 to `count` - 1.
    pub fn open_all(target: &Target, poller: &Poller, count: usize) -> Result<Vec<Connection>> {
        (0..count)
            .map(|token| Connection::open(target, poller, token))
            .collect()
    }

    pub fn send(&mut self, poller: &Poller, mut bytes: &[u8]) -> Result<()> {
        while self.unsent.is_empty() && !bytes.is_empty() {
            match self.stream.write(bytes) {
                Ok(n) => bytes = &bytes[n..],
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) => return Err(format!("connection {}: write: {e}", self.token)),
            }
        }
        self.unsent.extend_from_slice(bytes);
        if !self.unsent.is_empty() || self.stream.flush().is_err() {
            poller.change(&self.stream, self.token, Interest::IN | Interest::OUT)?;
        }
        Ok(())
    }

    /// Goes on with what was not sent, when `ready` allows it; then one read. `on` sees the number of each message.
    pub fn ready(
        &mut self,
        ready: Interest,
        poller: &Poller,
        target: &Target,
        buf: &mut [u8],
        on: impl FnMut(u32) -> Result<()>,
    ) -> Result<()> {
        if ready.contains(Interest::OUT) {
            poller.change(&self.stream, self.token, Interest::IN)?;
            let unsent = std::mem::take(&mut self.unsent);
            self.send(poller, &unsent)?;
        }
        self.receive(poller, target, buf, on)
            .map_err(|e| format!("connection {}: {e}", self.token))
    }

    fn receive(
        &mut self,
        poller: &Poller,
        target: &Target,
        buf: &mut [u8],
        mut on: impl FnMut(u32) -> Result<()>,
    ) -> Result<()> {
        let mut pongs = Vec::new();
        loop {
            let n = match self.stream.read(buf) {
                Ok(0) => return Err("closed by the server".into()),
                Ok(n) => n,
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) => return Err(format!("read: {e}")),
            };
            self.reader
                .feed(&buf[..n], &target.payload, |received| match received {
                    Received::Message(number) => on(number),
                    Received::Ping(payload) => {
                        pongs.extend(Frame::pong(payload));
                        Ok(())
                    }
                    Received::Close => Err("the server sent Close".into()),
                })?;
            if !self.stream.has_more() {
                break;
            }
        }
        self.send(poller, &pongs)
    }
}
