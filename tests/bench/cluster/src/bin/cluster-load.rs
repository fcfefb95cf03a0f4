//! Clients of one or two servers, that count what one of them says: every message to every client, in order.
//!
//! `cluster-load --port PORT [--far PORT] --clients N --messages N [--rate N] [--size N] [--flood yes]`: N clients at each server.
//! The first client of `--port` says so many messages, so many a second; with `--flood` it says one, and the server
//! makes the others of it. Prints `connected`, waits for a line, and then prints `done` with the seconds, the
//! deliveries, and the microseconds from saying a message to hearing it at the far server: the half, 99 of 100, all.

use std::time::{Duration, Instant};

use load::args::{Args, Result};
use load::connection::Connection;
use load::histogram::Histogram;
use load::poller::{Poller, Timer};
use load::target::Target;

/// Nothing comes for so long: something is lost.
const PATIENCE: Duration = Duration::from_secs(20);

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let args = Args::parse(words.iter().cloned())?;
    let number = |name, or| {
        args.optional::<usize>(name)
            .map(|given| given.unwrap_or(or))
    };
    let (clients, messages) = (number("clients", 1)?, number("messages", 1)?);
    let rate = args.optional::<f64>("rate")?;
    let floods = args.optional::<String>("flood")?.is_some();
    let near = Target::new(&args, 100)?;
    let far = args.optional::<u16>("far")?;
    args.all_used()?;
    let far = far.map(|port| {
        let words = [
            "--port".to_owned(),
            port.to_string(),
            "--size".to_owned(),
            near.size.to_string(),
        ];
        Target::new(&Args::parse(words.into_iter())?, near.size)
    });
    let far = far.transpose()?;
    Count::open(&near, far.as_ref(), clients)?.run(messages, rate, floods)
}

struct Count<'a> {
    near: &'a Target,
    poller: Poller,
    connections: Vec<Connection>,
    /// Where the clients of the far server begin.
    far_from: usize,
    /// The number that each client gets next.
    next: Vec<u32>,
}

impl<'a> Count<'a> {
    fn open(near: &'a Target, far: Option<&Target>, clients: usize) -> Result<Count<'a>> {
        let poller = Poller::new()?;
        let mut connections = Connection::open_all(near, &poller, clients)?;
        let far_from = match far {
            Some(_) => connections.len(),
            None => 0,
        };
        if let Some(far) = far {
            for token in clients..2 * clients {
                connections.push(Connection::open(far, &poller, token)?);
            }
        }
        Ok(Count {
            near,
            poller,
            far_from,
            next: vec![0; connections.len()],
            connections,
        })
    }

    fn run(mut self, messages: usize, rate: Option<f64>, floods: bool) -> Result<()> {
        println!("connected");
        let mut line = String::new();
        std::io::stdin()
            .read_line(&mut line)
            .map_err(|e| e.to_string())?;
        let timer = Timer::per_second(rate.unwrap_or(1000.0))?;
        self.poller
            .add(&timer.0, usize::MAX, load::poller::Interest::IN)?;
        let begun = Instant::now();
        let mut said = Vec::new();
        let mut latencies = Histogram::new();
        let wanted = (messages * self.connections.len()) as u64;
        let (mut heard, mut last) = (0, begun);
        let (mut ready, mut buf) = (Vec::new(), vec![0; 256 << 10]);
        while heard < wanted {
            self.poller.wait(&mut ready, PATIENCE)?;
            let now = Instant::now();
            if now - last > PATIENCE {
                return Err(format!(
                    "{heard} deliveries of {wanted}: the others do not come"
                ));
            }
            for &(token, flags) in &ready {
                if token == usize::MAX {
                    let due = match (floods, said.len()) {
                        (true, 0) => 1,
                        (true, _) => 0,
                        (false, _) => timer.ticks().min(messages - said.len()),
                    };
                    for _ in 0..due {
                        self.say(&mut said)?;
                    }
                    _ = timer.ticks();
                    continue;
                }
                let (next, far_from) = (&mut self.next[token], self.far_from);
                self.connections[token].ready(
                    flags,
                    &self.poller,
                    self.near,
                    &mut buf,
                    |number| {
                        if number != *next {
                            return Err(format!("message {number} in place of {next}"));
                        }
                        *next += 1;
                        heard += 1;
                        if let Some(said) = said.get(number as usize).filter(|_| token >= far_from)
                        {
                            latencies.add(now.saturating_duration_since(*said));
                        }
                        Ok(())
                    },
                )?;
                last = now;
            }
        }
        let took = begun.elapsed().as_secs_f64();
        let [half, most, all] = [0.5, 0.99, 1.0].map(|share| latencies.quantile(share));
        println!("done {took} {heard} {half} {most} {all}");
        Ok(())
    }

    fn say(&mut self, said: &mut Vec<Instant>) -> Result<()> {
        let mut frame = Vec::new();
        self.near.frame.push(&mut frame, said.len() as u32);
        said.push(Instant::now());
        self.connections[0].send(&self.poller, &frame)
    }
}
