//! A thousand opening handshakes that send a byte a second.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use load::histogram::Histogram;
use scorecard::support::{ask, upgrade};

use crate::row::Row;
use crate::subject::Subject;

const SLOW: usize = 1_000;
const DEADLINE: Duration = Duration::from_secs(10);
const HEALTHY_BOUND: u64 = 250;

/// All of them have a place.
pub fn slow() -> Vec<Row> {
    let subject = Subject::with("echo", &["handshakes=2000", "connections=2000"]);
    let addr = subject.addr();
    let dribble = thread::spawn(move || Dribble::open(addr).run(DEADLINE * 2, false));
    let healthy = healthy(addr, DEADLINE);
    let latest = dribble.join().unwrap();
    vec![
        Row::ms(
            "healthy connect beside 1,000 slow handshakes, p99",
            healthy,
            HEALTHY_BOUND,
        ),
        Row::seconds(
            "the last of 1,000 slow handshakes gone, after its connect (deadline 10 s)",
            latest,
            DEADLINE.as_secs_f64() + 1.0,
        ),
    ]
}

/// There are 64 places, and who gives way comes again.
pub fn storm() -> Vec<Row> {
    let subject = Subject::example("echo");
    let addr = subject.addr();
    let time = Duration::from_secs(5);
    let dribble = thread::spawn(move || Dribble::open(addr).run(time, true));
    let healthy = healthy(addr, time);
    dribble.join().unwrap();
    vec![Row::ms(
        "healthy connect beside 1,000 slow handshakes for 64 places, that come again, p99",
        healthy,
        HEALTHY_BOUND,
    )]
}

/// Connects again and again; how long that took, p99: TCP, handshake, and another try after each 503 to who had to give
/// way.
fn healthy(addr: SocketAddr, time: Duration) -> Duration {
    let (begin, mut took) = (Instant::now(), Histogram::new());
    let request = upgrade("localhost", "/", "");
    while begin.elapsed() < time {
        let start = Instant::now();
        let _open = loop {
            let (head, stream) = ask(addr, &request);
            if head.starts_with("HTTP/1.1 101 ") {
                break stream;
            }
            assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
        };
        took.add(start.elapsed());
        thread::sleep(Duration::from_millis(10));
    }
    Duration::from_secs_f64(took.quantile(0.99) / 1e6)
}

struct Dribble {
    addr: SocketAddr,
    request: Vec<u8>,
    clients: Vec<Option<Slow>>,
}

struct Slow {
    stream: TcpStream,
    since: Instant,
    sent: usize,
}

impl Dribble {
    fn open(addr: SocketAddr) -> Dribble {
        Dribble {
            addr,
            request: upgrade("localhost", "/", "").into_bytes(),
            clients: (0..SLOW).map(|_| Some(Slow::new(addr))).collect(),
        }
    }

    /// Sends to each client's server a byte a second; the longest that one of them lived.
    fn run(mut self, time: Duration, again: bool) -> Duration {
        let (begin, mut longest) = (Instant::now(), Duration::ZERO);
        let mut turn = begin;
        while begin.elapsed() < time && self.clients.iter().any(Option::is_some) {
            let byte_due = turn.elapsed() >= Duration::from_secs(1);
            if byte_due {
                turn = Instant::now();
            }
            for place in &mut self.clients {
                if let Some(client) = place {
                    if !client.lives() {
                        longest = longest.max(client.since.elapsed());
                        *place = None;
                    } else if byte_due {
                        client.send(&self.request);
                    }
                } else if again && byte_due {
                    *place = Some(Slow::new(self.addr));
                }
            }
            thread::sleep(Duration::from_millis(20));
        }
        let alive = self.clients.iter().flatten();
        alive.fold(longest, |longest, it| longest.max(it.since.elapsed()))
    }
}

impl Slow {
    fn new(addr: SocketAddr) -> Slow {
        let stream = TcpStream::connect(addr).unwrap();
        stream.set_nonblocking(true).unwrap();
        Slow {
            stream,
            since: Instant::now(),
            sent: 0,
        }
    }

    /// Reads what there is; false when the server has closed.
    fn lives(&mut self) -> bool {
        loop {
            match self.stream.read(&mut [0; 1024]) {
                Ok(0) => return false,
                Ok(_) => {}
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            }
        }
    }

    fn send(&mut self, request: &[u8]) {
        // A server that has closed meanwhile shows at the next read.
        let _ = self.stream.write(&request[self.sent..=self.sent]);
        self.sent += 1;
    }
}
