//! Loads a server that sends back what it gets, and shows how long that takes.
//!
//! `cargo run --release --features client --example load -- --clients 100 --seconds 10 ws://127.0.0.1:9001/`
//!
//! Each client is a thread: it sends a message, waits until it comes back, and goes on. A server that sends it to others,
//! too, such as `broadcast`, is loaded by what all of them get; a client waits for its own. A line each second says how
//! far it is, and at the end there is a histogram. What these clients cost comes out of the same processor: for figures to
//! compare, run the server on another machine, or pin both to processors of their own.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use wshub::{Client, Message};

const USAGE: &str = "\
usage: load [OPTION]... [URL]
Sends messages to URL, ws://127.0.0.1:9001/ by default, and measures how long each takes to come back.

  -c, --clients N      clients at the same time: 10 by default, at most 10000
  -s, --seconds N      how long: 5 by default
  -b, --bytes N        size of a message: 64 by default, at least 24
  -r, --rate N         messages each second of each client; as many as it can by default

Exit status: 0 every message came back; 1 one did not, or a client could not connect; 2 the options make no sense.";

/// A message that has not come back by then never will.
const PATIENCE: Duration = Duration::from_secs(10);
/// Of a client's thread.
const STACK: usize = 256 << 10;
/// A message begins with the number of its client and its own.
const HEAD: usize = 24;

struct Options {
    url: String,
    clients: u64,
    time: Duration,
    bytes: usize,
    rate: Option<f64>,
}

fn main() -> ExitCode {
    env_logger::init();
    match parse(std::env::args().skip(1)) {
        Ok(Some(options)) => match load(&options) {
            Ok(()) => ExitCode::SUCCESS,
            Err(problem) => {
                let _ = writeln!(io::stderr(), "{problem}");
                ExitCode::FAILURE
            }
        },
        Ok(None) => {
            let _ = writeln!(io::stdout(), "{USAGE}");
            ExitCode::SUCCESS
        }
        Err(problem) => {
            let _ = writeln!(
                io::stderr(),
                "{problem}\nusage: load [OPTION]... [URL]; --help lists the options"
            );
            ExitCode::from(2)
        }
    }
}

fn parse(mut given: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let mut options = Options {
        url: "ws://127.0.0.1:9001/".to_owned(),
        clients: 10,
        time: Duration::from_secs(5),
        bytes: 64,
        rate: None,
    };
    let mut urls = 0;
    while let Some(word) = given.next() {
        let mut number = |least: f64, most: f64| {
            let value = given.next().ok_or(format!("{word} needs a number"))?;
            let number = value.parse().ok().filter(|it| (least..=most).contains(it));
            number.ok_or(format!(
                "{word} takes a number from {least} to {most}, and not {value:?}"
            ))
        };
        match &*word {
            "-h" | "--help" => return Ok(None),
            "-c" | "--clients" => options.clients = number(1.0, 10_000.0)? as u64,
            "-s" | "--seconds" => options.time = Duration::from_secs_f64(number(0.1, 86_400.0)?),
            "-b" | "--bytes" => options.bytes = number(HEAD as f64, f64::from(1 << 20))? as usize,
            "-r" | "--rate" => options.rate = Some(number(0.01, 1e6)?),
            option if option.starts_with('-') => return Err(format!("there is no option {word}")),
            _ if urls > 0 => return Err(format!("too many arguments: {word}")),
            _ => {
                urls += 1;
                options.url = word;
            }
        }
    }
    Ok(Some(options))
}

fn load(options: &Options) -> Result<(), String> {
    let connected = Instant::now();
    let clients = connect(options)?;
    let took = connected.elapsed().as_secs_f64();
    println!("{} clients connected in {took:.2} s", options.clients);

    let shared = Arc::new(Shared::default());
    let started = Instant::now();
    let threads = clients.into_iter().zip(0..).map(|(client, number)| {
        let work = Work {
            number,
            end: started + options.time,
            bytes: options.bytes,
            pause: options.rate.map(|rate| Duration::from_secs_f64(1.0 / rate)),
        };
        let shared = shared.clone();
        thread::Builder::new()
            .stack_size(STACK)
            .spawn(move || work.run(client, &shared))
            .map_err(|error| format!("no thread for client {number}: {error}"))
    });
    let threads = threads.collect::<Result<Vec<_>, _>>();
    if let Ok(threads) = &threads {
        let done = || threads.iter().all(JoinHandle::is_finished);
        show_progress(&shared, started, options.time, done);
    }
    shared.stop.store(true, Relaxed);
    for thread in threads? {
        let _ = thread.join();
    }
    shared.report(started.elapsed())
}

fn connect(options: &Options) -> Result<Vec<Client>, String> {
    (0..options.clients)
        .map(|number| {
            wshub::connect(&*options.url)
                .map_err(|error| format!("client {number} cannot connect: {error}"))
        })
        .collect()
}

/// One line that is written anew on a terminal, a line for each second elsewhere.
fn show_progress(shared: &Shared, started: Instant, time: Duration, done: impl Fn() -> bool) {
    let terminal = io::stdout().is_terminal();
    let mut before = 0;
    for second in 1..=time.as_secs() {
        let next = started + Duration::from_secs(second);
        thread::sleep(next.saturating_duration_since(Instant::now()));
        let count = shared.count.load(Relaxed);
        let line = format!("{second:4} s {:10} messages/s", count.wrapping_sub(before));
        before = count;
        let shown = match terminal {
            true => write!(io::stdout(), "\r{line}").and_then(|()| io::stdout().flush()),
            false => writeln!(io::stdout(), "{line}"),
        };
        if shown.is_err() || done() {
            break;
        }
    }
    if terminal {
        println!();
    }
}

#[derive(Default)]
struct Shared {
    count: AtomicUsize,
    stop: AtomicBool,
    histogram: Mutex<Histogram>,
    /// The first thing that went wrong.
    problem: Mutex<Option<String>>,
}

impl Shared {
    fn report(&self, took: Duration) -> Result<(), String> {
        let histogram = self
            .histogram
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let rate = histogram.count as f64 / took.as_secs_f64();
        println!(
            "{} messages came back, {rate:.0} each second",
            histogram.count
        );
        print!("{}", histogram.picture());
        match self
            .problem
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
        {
            Some(problem) => Err(problem),
            None => Ok(()),
        }
    }
}

/// What one client does.
struct Work {
    number: u64,
    end: Instant,
    bytes: usize,
    pause: Option<Duration>,
}

impl Work {
    fn run(&self, mut client: Client, shared: &Shared) {
        let mut histogram = Histogram::default();
        let done = self.exchange(&mut client, shared, &mut histogram);
        if let Err(problem) = done {
            let problem = format!("client {}: {problem}", self.number);
            let mut first = shared
                .problem
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            first.get_or_insert(problem);
        }
        let mut all = shared
            .histogram
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        all.add(&histogram);
        drop(all);
        let _ = client.close(1000, "");
    }

    fn exchange(
        &self,
        client: &mut Client,
        shared: &Shared,
        histogram: &mut Histogram,
    ) -> Result<(), String> {
        let mut next = Instant::now();
        for count in 0_u64.. {
            if Instant::now() >= self.end || shared.stop.load(Relaxed) {
                break;
            }
            let mut text = format!("{:08} {count:014} ", self.number);
            text.extend(std::iter::repeat_n('x', self.bytes - HEAD));
            let message = Message::from(text);
            let sent = Instant::now();
            client
                .send(message.clone())
                .map_err(|error| error.to_string())?;
            wait_for(client, &message, sent + PATIENCE)?;
            histogram.note(sent.elapsed());
            shared.count.fetch_add(1, Relaxed);
            if let Some(pause) = self.pause {
                next += pause;
                thread::sleep(next.saturating_duration_since(Instant::now()));
            }
        }
        Ok(())
    }
}

fn wait_for(client: &mut Client, message: &Message, deadline: Instant) -> Result<(), String> {
    while let Some(left) = deadline.checked_duration_since(Instant::now()) {
        match client.read_timeout(left.max(Duration::from_millis(1))) {
            Ok(Some(came)) if came == *message => return Ok(()),
            Ok(Some(_)) => {}
            Ok(None) => return Err("the server closed the connection".to_owned()),
            Err(error) => return Err(error.to_string()),
        }
    }
    Err(format!(
        "a message did not come back within {PATIENCE:?}: is it an echo server?"
    ))
}

/// Times in classes, four for each doubling, from a microsecond on.
#[derive(Default)]
struct Histogram {
    classes: Vec<u64>,
    count: u64,
}

impl Histogram {
    fn note(&mut self, time: Duration) {
        let micros = (time.as_secs_f64() * 1e6).max(1.0);
        let class = (micros.log2() * 4.0) as usize;
        if self.classes.len() <= class {
            self.classes.resize(class + 1, 0);
        }
        self.classes[class] += 1;
        self.count += 1;
    }

    fn add(&mut self, other: &Histogram) {
        let most = self.classes.len().max(other.classes.len());
        self.classes.resize(most, 0);
        for (sum, more) in self.classes.iter_mut().zip(&other.classes) {
            *sum += more;
        }
        self.count += other.count;
    }

    /// The end of the class in which this share of the times lies.
    fn quantile(&self, share: f64) -> Duration {
        let rank = (self.count as f64 * share).ceil() as u64;
        let mut seen = 0;
        let class = self.classes.iter().position(|count| {
            seen += count;
            seen >= rank
        });
        class_end(class.unwrap_or_default())
    }

    fn picture(&self) -> String {
        let most = self.classes.iter().copied().max().unwrap_or(0);
        if most == 0 {
            return String::new();
        }
        let mut text = String::new();
        let used = |count: &u64| *count > 0;
        let first = self.classes.iter().position(used).unwrap_or(0);
        let mut empty = 0;
        for (class, count) in self.classes.iter().enumerate().skip(first) {
            empty = if *count == 0 { empty + 1 } else { 0 };
            if empty > 1 {
                // A row of dots stands for the rest of a gap.
                text.push_str(if empty == 2 { "      ...\n" } else { "" });
                continue;
            }
            let bar = "#".repeat((count * 50).div_ceil(most) as usize);
            let _ = writeln!(text, "{:>9} {count:>9} {bar}", shown(class_end(class)));
        }
        for share in [0.5, 0.9, 0.99, 0.999] {
            let _ = write!(
                text,
                "p{:<5}{}  ",
                share * 100.0,
                shown(self.quantile(share))
            );
        }
        text.push('\n');
        text
    }
}

fn class_end(class: usize) -> Duration {
    Duration::from_secs_f64(2_f64.powf((class as f64 + 1.0) / 4.0) / 1e6)
}

fn shown(time: Duration) -> String {
    let micros = time.as_secs_f64() * 1e6;
    match micros {
        ..1e3 => format!("{micros:.0} us"),
        ..1e6 => format!("{:.1} ms", micros / 1e3),
        _ => format!("{:.2} s", micros / 1e6),
    }
}
