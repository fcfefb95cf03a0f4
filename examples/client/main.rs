//! Talks to a WebSocket server: what is typed is sent, what comes is printed. In a pipe: all lines of the input, and the
//! answers.
//!
//! `cargo run --release --features client --example client -- ws://127.0.0.1:9001/`
//! With the feature `tls`, too, it speaks wss://. `--help` lists the options.
//! `printf 'a\nb\n' | client ws://127.0.0.1:9001/` prints what the server answers to both.
//! `client -m ping -n 1 -w 2 ws://127.0.0.1:9001/` says by its exit status whether there is an answer within 2 seconds.
//!
//! Ctrl-C and SIGTERM end it, too, within seven seconds though nobody reads its output.

#[cfg(unix)]
mod line;
mod options;
#[cfg(unix)]
mod terminal;
#[cfg(not(unix))]
#[path = "plain.rs"]
mod terminal;

use std::error::Error;
use std::fs;
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use options::{Options, Piece, USAGE};
use wshub::{Client, ClientRequest, Limits, Message, WebSocketReader, WebSocketWriter};

/// Nobody says how many answers there will be: after the end of the input, this much silence is taken for the last.
const SILENCE: Duration = Duration::from_secs(1);
/// A server that never falls silent is not waited for any longer.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// For messages whose number is known.
const WAIT_FOR_COUNT: Duration = Duration::from_secs(60);
/// In bytes: more than most servers take as one message.
const LONGEST_LINE: u64 = 16 << 20;
/// After a signal: longer than the closing handshake may take.
const LAST_RESORT: Duration = Duration::from_secs(7);

fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("warn")).init();
    let given = std::env::args_os().skip(1);
    let options = match options::parse(given.map(|word| word.to_string_lossy().into_owned())) {
        Ok(Some(options)) => options,
        Ok(None) => {
            // Where nobody reads it nobody asked for it.
            let _ = writeln!(io::stdout(), "{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            complain(&format!(
                "{problem}\nusage: client [OPTION]... [URL]; --help lists the options"
            ));
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let url = options.url.as_deref().unwrap_or("ws://127.0.0.1:9001/");
    let pieces = options.send.iter().map(read_piece);
    let pieces = pieces.collect::<Result<Vec<_>, _>>()?;
    let request = request(url, options)?;
    let client =
        wshub::connect(request).map_err(|error| format!("cannot connect to {url}: {error}"))?;
    talk(client, pieces, options)
}

fn read_piece(piece: &Piece) -> Result<Message, String> {
    match piece {
        Piece::Text(text) => Ok(Message::from(text.as_str())),
        Piece::File(path) => fs::read(path)
            .map(Message::Binary)
            .map_err(|error| format!("{}: {error}", path.display())),
    }
}

fn request(url: &str, options: &Options) -> Result<ClientRequest, Box<dyn Error>> {
    let cannot = |error| format!("cannot connect to {url}: {error}");
    let mut request = ClientRequest::new(url).map_err(cannot)?;
    for (name, value) in &options.headers {
        request = request.with_header(name, value)?;
    }
    for name in &options.subprotocols {
        request = request.with_subprotocol(name)?;
    }
    if let Some(origin) = &options.origin {
        request = request.with_origin(origin)?;
    }
    if let Some(ca) = &options.ca {
        request = trust(request, ca)?;
    }
    let heartbeat = options.ping.map(|time| Limits {
        ping_interval: Some(time),
        pong_timeout: time,
        ..Limits::default()
    });
    Ok(match heartbeat {
        Some(limits) => request.with_limits(limits),
        None => request,
    })
}

#[cfg(feature = "tls")]
fn trust(request: ClientRequest, ca: &std::path::Path) -> Result<ClientRequest, Box<dyn Error>> {
    let tls = wshub::ClientTls::builder().ca_file(ca).build()?;
    Ok(request.with_tls(&tls))
}

#[cfg(not(feature = "tls"))]
fn trust(_: ClientRequest, _: &std::path::Path) -> Result<ClientRequest, Box<dyn Error>> {
    Err("--ca needs TLS: build the example with --features client,tls".into())
}

/// Where nobody can be told, the exit status says it.
fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// What the sending thread is told.
enum Input {
    Message(Message),
    /// A message came: no silence.
    Heard,
    End(io::Result<()>),
    /// Ctrl-C or SIGTERM, or as many messages have come as were wanted.
    Stop,
}

/// Reads on this thread and sends on another, until the connection has ended. The next line may take for ever to be
/// typed: the thread that waits for it is left behind.
fn talk(client: Client, pieces: Vec<Message>, options: &Options) -> Result<(), Box<dyn Error>> {
    let (mut reader, writer) = client.split();
    // A few lines may wait for a slow server; then typing does.
    let (tell, input) = sync_channel(16);
    let (typed, stop) = (tell.clone(), tell.clone());
    ctrlc::set_handler(move || {
        let _ = thread::Builder::new().spawn(end_late);
        drop(stop.send(Input::Stop));
    })?;
    let edits = pieces.is_empty() && io::stdin().is_terminal() && io::stdout().is_terminal();
    let _raw = edits.then(terminal::Raw::start).transpose()?;
    thread::Builder::new().spawn(move || match pieces.is_empty() {
        true => type_lines(edits, &typed),
        false => hand_over(pieces, &typed),
    })?;
    let progress = Arc::new(Progress::new(options));
    let sent = progress.clone();
    thread::Builder::new().spawn(move || send(&input, writer, &sent))?;

    print_messages(
        &mut reader,
        &progress,
        || drop(tell.try_send(Input::Heard)),
        || {
            drop(tell.send(Input::Stop));
        },
    )?;
    let close = reader.close_event().ok_or("the connection has not ended")?;
    let in_order = close.was_clean && u16::from(close.code) == 1000;
    match progress.verdict() {
        Ok(()) if in_order => Ok(()),
        Err(Some(problem)) if in_order => Err(problem.into()),
        _ => {
            let (code, reason) = (close.code, close.reason.escape_debug());
            let text = format!("the connection was closed: {code} {reason}");
            Err(text.trim_end().into())
        }
    }
}

/// What both threads know of how far it is.
struct Progress {
    wanted: Option<u64>,
    wait: Duration,
    timing: bool,
    state: Mutex<State>,
}

struct State {
    came: u64,
    all_sent: bool,
    last_sent: Instant,
}

impl Progress {
    fn new(options: &Options) -> Self {
        let usual = match options.count {
            Some(_) => WAIT_FOR_COUNT,
            None => SILENCE,
        };
        Progress {
            wanted: options.count,
            wait: options.wait.unwrap_or(usual),
            timing: options.timing,
            state: Mutex::new(State {
                came: 0,
                all_sent: false,
                last_sent: Instant::now(),
            }),
        }
    }

    fn with<R>(&self, look: impl FnOnce(&mut State) -> R) -> R {
        look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn is_enough(&self) -> bool {
        self.wanted
            .is_some_and(|wanted| self.with(|state| state.came >= wanted))
    }

    /// `Err(None)`: not all was sent, and that was said.
    fn verdict(&self) -> Result<(), Option<String>> {
        let (came, all_sent) = self.with(|state| (state.came, state.all_sent));
        match self.wanted {
            Some(wanted) if came >= wanted => Ok(()),
            Some(wanted) => Err(Some(format!("only {came} of {wanted} messages came"))),
            None if all_sent => Ok(()),
            None => Err(None),
        }
    }
}

/// The program that reads our output may have stopped, and a write to it has no deadline.
fn end_late() {
    thread::sleep(LAST_RESORT);
    terminal::restore();
    std::process::exit(1);
}

fn hand_over(pieces: Vec<Message>, input: &SyncSender<Input>) {
    let pieces = pieces.into_iter().map(Input::Message);
    for told in pieces.chain([Input::End(Ok(()))]) {
        if input.send(told).is_err() {
            return;
        }
    }
}

fn type_lines(edits: bool, input: &SyncSender<Input>) {
    let stdin = io::stdin();
    loop {
        let line = match edits {
            true => terminal::read_line(),
            false => next_line(&mut stdin.lock()),
        };
        let told = match line {
            Ok(Some(line)) => Input::Message(line.into()),
            Ok(None) => Input::End(Ok(())),
            Err(error) => Input::End(Err(error)),
        };
        let last = matches!(told, Input::End(_));
        // Nobody sends any more, or nothing more comes.
        if input.send(told).is_err() || last {
            return;
        }
    }
}

fn next_line(stdin: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    let read = stdin.take(LONGEST_LINE + 1).read_line(&mut line)?;
    if read as u64 > LONGEST_LINE {
        return Err(io::Error::other("a line is longer than 16 MiB"));
    }
    let end = line.strip_suffix("\r\n").or(line.strip_suffix('\n'));
    line.truncate(end.unwrap_or(&line).len());
    Ok((read > 0).then_some(line))
}

fn send(input: &Receiver<Input>, mut writer: WebSocketWriter, progress: &Progress) {
    match send_all(input, &mut writer, progress) {
        Ok(()) => progress.with(|state| state.all_sent = true),
        Err(error) => complain(&format!("not sent: {error}")),
    }
    // Where the server was first, the reader says so.
    let _ = writer.close(1000, "");
}

fn send_all(
    input: &Receiver<Input>,
    writer: &mut WebSocketWriter,
    progress: &Progress,
) -> Result<(), Box<dyn Error>> {
    while let Ok(told) = input.recv() {
        match told {
            Input::Message(message) => {
                progress.with(|state| state.last_sent = Instant::now());
                writer.send(message)?;
            }
            Input::Heard => {}
            Input::End(read) => {
                read?;
                match progress.wanted {
                    Some(_) => wait_until_stopped(input, progress.wait),
                    None => wait_for_silence(input, progress.wait),
                }
                break;
            }
            Input::Stop => break,
        }
    }
    Ok(())
}

fn wait_until_stopped(input: &Receiver<Input>, wait: Duration) {
    let deadline = Instant::now() + wait;
    while let Some(left) = deadline.checked_duration_since(Instant::now()) {
        match input.recv_timeout(left) {
            Ok(Input::Heard) => {}
            _ => return,
        }
    }
}

fn wait_for_silence(input: &Receiver<Input>, silence: Duration) {
    let deadline = Instant::now() + LONGEST_WAIT.max(silence);
    loop {
        let patience = silence.min(deadline.saturating_duration_since(Instant::now()));
        match input.recv_timeout(patience) {
            Ok(Input::Heard) if Instant::now() < deadline => {}
            _ => return,
        }
    }
}

/// `heard`: a message came; a full channel is no silence either. `enough`: as many came as were wanted.
fn print_messages(
    reader: &mut WebSocketReader,
    progress: &Progress,
    heard: impl Fn(),
    enough: impl Fn(),
) -> Result<(), Box<dyn Error>> {
    let terminal = io::stdout().is_terminal();
    while let Some(message) = reader.read()? {
        if progress.is_enough() {
            continue; // It came while the connection closes.
        }
        let took = progress.with(|state| {
            state.came += 1;
            state.last_sent.elapsed()
        });
        let timing = match progress.timing {
            true => format!("{:9.3} ms  ", took.as_secs_f64() * 1e3),
            false => String::new(),
        };
        match message {
            Message::Text(text) if terminal => {
                terminal::print(&format!("{timing}{}", printable(&text)))?;
            }
            Message::Text(text) => writeln!(io::stdout(), "{timing}{text}")?,
            Message::Binary(bytes) => {
                writeln!(
                    io::stderr(),
                    "{timing}a binary message of {} bytes",
                    bytes.len()
                )?;
            }
        }
        match progress.is_enough() {
            true => enough(),
            false => heard(),
        }
    }
    Ok(())
}

/// A terminal obeys control characters, and the server is a stranger.
fn printable(text: &str) -> String {
    let escape = |c: char| match c {
        '\n' | '\t' => c.to_string(),
        c if c.is_control() => c.escape_default().to_string(),
        c => c.to_string(),
    };
    text.chars().map(escape).collect()
}
