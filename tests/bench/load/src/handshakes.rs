//! Handshakes: connect, upgrade, one echo, close; some under way at once.

use crate::args::{Args, Result};
use crate::frame::{Frame, Reader, Received};
use crate::histogram::Histogram;
use crate::poller::{Interest, Poller};
use crate::report::Report;
use crate::span::Span;
use crate::target::{Target, upgraded};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

#[derive(Clone, Copy, PartialEq)]
enum Step {
    Upgrade,
    Echo,
    Close,
    Done,
}

struct Handshake {
    stream: TcpStream,
    step: Step,
    reader: Reader,
    begin: Instant,
}

impl Handshake {
    fn begin(target: &Target, poller: &Poller, token: usize) -> Result<Handshake> {
        let begin = Instant::now();
        let mut stream = target.connect_only()?;
        stream.set_nonblocking(true).map_err(|e| e.to_string())?;
        stream
            .write_all(target.request.as_bytes())
            .map_err(|e| format!("the upgrade request: {e}"))?;
        poller.add(&stream, token, Interest::IN)?;
        Ok(Handshake {
            stream,
            step: Step::Upgrade,
            reader: Reader::default(),
            begin,
        })
    }

    /// Goes one step further, if what came allows it.
    fn go_on(&mut self, target: &Target, message: &[u8], close: &[u8]) -> Result<()> {
        let write = |mut stream: &TcpStream, bytes: &[u8]| {
            stream.write_all(bytes).map_err(|e| format!("write: {e}"))
        };
        if self.step == Step::Upgrade {
            if upgraded(&self.stream)? {
                write(&self.stream, message)?;
                self.step = Step::Echo;
            }
            return Ok(());
        }
        let mut buf = [0; 4096];
        let n = match self.stream.read(&mut buf) {
            Ok(n) => n,
            Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(e) if e.kind() == ErrorKind::ConnectionReset && self.step == Step::Close => 0,
            Err(e) => return Err(format!("read: {e}")),
        };
        let (mut echoed, mut closed) = (false, n == 0);
        self.reader.feed(&buf[..n], &target.payload, |received| {
            match received {
                Received::Message(_) => echoed = true,
                Received::Close => closed = true,
                Received::Ping(_) => {}
            }
            Ok(())
        })?;
        self.step = match self.step {
            Step::Echo if echoed => {
                write(&self.stream, close)?;
                Step::Close
            }
            Step::Close if closed => Step::Done,
            Step::Echo if closed => return Err("the server closed before the echo".into()),
            step => step,
        };
        Ok(())
    }
}

pub fn run(args: &Args) -> Result<Report> {
    let target = Target::new(args, 20)?;
    let total = args.count("total", 4000)?;
    let under_way = args.count("under-way", 32)?.min(total);
    let (mut message, close) = (Vec::new(), Frame::close(!target.raw));
    target.frame.push(&mut message, 0);

    let mut poller = Poller::new()?;
    let span = Span::start(target.pid);
    let mut handshakes = (0..under_way)
        .map(|token| Handshake::begin(&target, &poller, token).map(Some))
        .collect::<Result<Vec<_>>>()?;
    let (mut begun, mut done) = (under_way, 0);
    let (mut latencies, mut ready) = (Histogram::new(), Vec::new());
    while done < total {
        poller.wait(&mut ready, Duration::from_secs(10))?;
        if ready.is_empty() {
            return Err(format!("nothing for 10 s after {done} handshakes"));
        }
        for &(token, _) in &ready {
            let Some(one) = &mut handshakes[token] else {
                continue;
            };
            let was = one.step;
            one.go_on(&target, &message, &close)
                .map_err(|e| format!("after {done} handshakes: {e}"))?;
            if was == Step::Upgrade && one.step == Step::Echo {
                latencies.add(one.begin.elapsed());
            }
            if one.step == Step::Done {
                done += 1;
                // The old stream closes here.
                handshakes[token] = None;
                if begun < total {
                    begun += 1;
                    handshakes[token] = Some(Handshake::begin(&target, &poller, token)?);
                }
            }
        }
    }
    let mut report = Report::default();
    span.stop().report(&mut report, total as u64);
    report.quantiles(&latencies);
    Ok(report)
}
