//! Type a line and it is sent; what comes is printed. In a pipe: all lines of the input, and the answers.
//!
//! `cargo run --release --features client --example client -- ws://127.0.0.1:9001/`
//! With the feature `tls`, too, it speaks wss://.
//! `printf 'a\nb\n' | client ws://127.0.0.1:9001/` prints what the server answers to both.
//!
//! Messages go to standard output, everything else to standard error. At the end of the input (Ctrl-D) it waits until
//! the server has been silent for a second, at most five, and closes. Exit status 0: all that was typed was sent, and
//! both sides closed in order.
//! Ctrl-C and SIGTERM end it, too, within seven seconds though nobody reads its output.

use std::error::Error;
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use wshub::{Client, Message, WebSocketReader, WebSocketWriter};

/// Nobody says how many answers there will be: after the end of the input, this much silence is taken for the last.
const SILENCE: Duration = Duration::from_secs(1);
/// A server that never falls silent is not waited for any longer.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// In bytes: more than most servers take as one message.
const LONGEST_LINE: u64 = 16 << 20;
/// After a signal: longer than the closing handshake may take.
const LAST_RESORT: Duration = Duration::from_secs(7);

const USAGE: &str = "usage: client [URL]\n\
    Connects to URL, ws://127.0.0.1:9001/ by default, sends the lines of its input and prints what comes.";

fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("warn")).init();
    let given: Vec<_> = std::env::args_os().skip(1).collect();
    let url = given.first().map(|url| url.to_string_lossy());
    match url.as_deref() {
        Some("-h" | "--help") => {
            // Where nobody reads it nobody asked for it.
            let _ = writeln!(io::stdout(), "{USAGE}");
            return ExitCode::SUCCESS;
        }
        Some(option) if option.starts_with('-') => {
            return fail(&format!("there is no option {option}\n{USAGE}"));
        }
        _ if given.len() > 1 => return fail(&format!("too many arguments\n{USAGE}")),
        _ => {}
    }
    let url = url.as_deref().unwrap_or("ws://127.0.0.1:9001/");
    match wshub::connect(url) {
        Ok(client) => talk(client).unwrap_or_else(|error| fail(&error.to_string())),
        Err(error) => fail(&format!("cannot connect to {url}: {error}")),
    }
}

fn fail(text: &str) -> ExitCode {
    complain(text);
    ExitCode::FAILURE
}

/// Where nobody can be told, the exit status says it.
fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// What the sending thread is told.
enum Input {
    Line(String),
    /// A message came: no silence.
    Heard,
    End(io::Result<()>),
    /// Ctrl-C or SIGTERM.
    Stop,
}

/// Reads on this thread and sends on another, until the connection has ended. Who types may think for ever about the
/// next line: that thread is not waited for.
fn talk(client: Client) -> Result<ExitCode, Box<dyn Error>> {
    let (mut reader, writer) = client.split();
    // A few lines may wait for a slow server; then typing does.
    let (tell, input) = sync_channel(16);
    let (typed, stop) = (tell.clone(), tell.clone());
    ctrlc::set_handler(move || {
        let _ = thread::Builder::new().spawn(end_late);
        drop(stop.send(Input::Stop));
    })?;
    thread::Builder::new().spawn(move || type_lines(&typed))?;
    let all_sent = Arc::new(AtomicBool::new(false));
    let sent = all_sent.clone();
    thread::Builder::new().spawn(move || send(&input, writer, &sent))?;

    // A full channel is no silence either.
    print_messages(&mut reader, || drop(tell.try_send(Input::Heard)))?;
    let close = reader.close_event().ok_or("the connection has not ended")?;
    let in_order = close.was_clean && u16::from(close.code) == 1000;
    if in_order && all_sent.load(Ordering::Acquire) {
        return Ok(ExitCode::SUCCESS);
    }
    let (code, reason) = (close.code, close.reason.escape_debug());
    let text = format!("the connection was closed: {code} {reason}");
    Ok(fail(text.trim_end()))
}

/// Who reads our output may have stopped to, and a write to him has no deadline.
fn end_late() {
    thread::sleep(LAST_RESORT);
    std::process::exit(1);
}

fn type_lines(input: &SyncSender<Input>) {
    let mut stdin = io::stdin().lock();
    loop {
        let told = match next_line(&mut stdin) {
            Ok(Some(line)) => Input::Line(line),
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

fn send(input: &Receiver<Input>, mut writer: WebSocketWriter, all_sent: &AtomicBool) {
    match send_lines(input, &mut writer) {
        Ok(()) => all_sent.store(true, Ordering::Release),
        Err(error) => complain(&format!("not sent: {error}")),
    }
    // Where the server was first, the reader says so.
    let _ = writer.close(1000, "");
}

fn send_lines(input: &Receiver<Input>, writer: &mut WebSocketWriter) -> Result<(), Box<dyn Error>> {
    while let Ok(told) = input.recv() {
        match told {
            Input::Line(line) => writer.send(line)?,
            Input::Heard => {}
            Input::End(read) => {
                read?;
                wait_for_silence(input);
                break;
            }
            Input::Stop => break,
        }
    }
    Ok(())
}

fn wait_for_silence(input: &Receiver<Input>) {
    let deadline = Instant::now() + LONGEST_WAIT;
    loop {
        let patience = SILENCE.min(deadline.saturating_duration_since(Instant::now()));
        match input.recv_timeout(patience) {
            Ok(Input::Heard) if Instant::now() < deadline => {}
            _ => return,
        }
    }
}

fn print_messages(reader: &mut WebSocketReader, heard: impl Fn()) -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout();
    let terminal = out.is_terminal();
    while let Some(message) = reader.read()? {
        match message {
            Message::Text(text) if terminal => writeln!(out, "{}", printable(&text))?,
            Message::Text(text) => writeln!(out, "{text}")?,
            Message::Binary(bytes) => {
                writeln!(io::stderr(), "a binary message of {} bytes", bytes.len())?;
            }
        }
        heard();
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
