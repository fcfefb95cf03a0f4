//! Burst: large messages on one connection, sent and read at once.

use crate::args::{Args, Result};
use crate::frame::{Reader, Received};
use crate::poller::{Interest, Poller};
use crate::report::Report;
use crate::span::Span;
use crate::target::Target;
use std::io::{ErrorKind, Read, Write};
use std::time::Duration;

/// Bytes unanswered, unless one message is more: what a server has to queue at most.
const AHEAD: usize = 2 << 20;

pub fn run(args: &Args) -> Result<Report> {
    let target = Target::new(args, 64 << 10)?;
    let total = (args.bytes("total", 256 << 20)? / target.size).max(1);
    let ahead = (AHEAD / target.size).max(1);
    let mut message = Vec::new();
    target.frame.push(&mut message, 0);

    let mut stream = target.connect()?;
    let mut poller = Poller::new()?;
    poller.add(&stream, 0, Interest::IN | Interest::OUT)?;
    let (mut reader, mut buf, mut ready) = (Reader::default(), vec![0; 512 << 10], Vec::new());
    let (mut sent, mut written, mut answered, mut sending) = (0, 0, 0, true);
    let span = Span::start(target.pid);
    while answered < total {
        let may_send = sent < total && sent - answered < ahead;
        if may_send != sending {
            sending = may_send;
            let out = if sending {
                Interest::OUT
            } else {
                Interest::empty()
            };
            poller.change(&stream, 0, Interest::IN | out)?;
        }
        poller.wait(&mut ready, Duration::from_secs(10))?;
        let Some(&(_, what)) = ready.first() else {
            return Err(format!("nothing for 10 s after {answered} messages"));
        };
        if what.contains(Interest::OUT) {
            match stream.write(&message[written..]) {
                Ok(n) => written += n,
                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                Err(e) => return Err(format!("write: {e}")),
            }
            if written == message.len() {
                (written, sent) = (0, sent + 1);
            }
        }
        if !what.contains(Interest::IN) {
            continue;
        }
        let n = match stream.read(&mut buf) {
            Ok(0) => return Err(format!("closed by the server after {answered} messages")),
            Ok(n) => n,
            Err(e) if e.kind() == ErrorKind::WouldBlock => continue,
            Err(e) => return Err(format!("read: {e}")),
        };
        reader.feed(&buf[..n], &target.payload, |received| {
            match received {
                Received::Message(_) => answered += 1,
                Received::Ping(_) => {}
                Received::Close => return Err("the server sent Close".into()),
            }
            Ok(())
        })?;
    }
    let mut report = Report::default();
    span.stop().report(&mut report, total as u64);
    Ok(report)
}
