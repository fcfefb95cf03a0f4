//! What the command line asks for.

use std::path::PathBuf;
use std::time::Duration;

pub const USAGE: &str = "\
usage: client [OPTION]... [URL]
Connects to URL, ws://127.0.0.1:9001/ by default, sends the lines of its input, and prints what comes.

  -H, --header 'NAME: VALUE'  adds a header; may be given more than once
  -s, --subprotocol NAME      offers a subprotocol; may be given more than once
  -o, --origin ORIGIN         sends an Origin, as a browser's page does
      --ca FILE               trusts the authorities in this PEM file only (wss://)
  -m, --message TEXT          sends this in place of the input; may be given more than once
  -b, --binary FILE           sends this file as one binary message in place of the input; may be given more than once
  -n, --count N               ends after N messages have come; if fewer come, the exit status is 1
  -w, --wait SECONDS          after all is sent, waits this long for the N messages (60), or without -n for silence (1)
  -p, --ping SECONDS          pings after this much silence, and gives the server up after as long without an answer
  -t, --timing                shows with each message the time since the last one was sent

Text messages go to standard output. Everything else goes to standard error, also the length of binary messages.
On a terminal a line can be edited, and the up arrow brings earlier lines back.
Exit status: 0 all was sent and came, and the connection closed in order; 1 it did not; 2 the options make no sense.";

#[derive(Debug, Default)]
pub struct Options {
    pub url: Option<String>,
    pub headers: Vec<(String, String)>,
    pub subprotocols: Vec<String>,
    pub origin: Option<String>,
    pub ca: Option<PathBuf>,
    /// What to send in place of the input.
    pub send: Vec<Piece>,
    pub count: Option<u64>,
    pub wait: Option<Duration>,
    pub ping: Option<Duration>,
    pub timing: bool,
}

#[derive(Debug)]
pub enum Piece {
    Text(String),
    File(PathBuf),
}

/// The options; `None` if help is asked for.
pub fn parse(given: impl IntoIterator<Item = String>) -> Result<Option<Options>, String> {
    let mut options = Options::default();
    let mut given = given.into_iter();
    while let Some(word) = given.next() {
        let mut value = || given.next().ok_or(format!("{word} needs a value"));
        match &*word {
            "-h" | "--help" => return Ok(None),
            "-H" | "--header" => options.headers.push(header(&value()?)?),
            "-s" | "--subprotocol" => options.subprotocols.push(value()?),
            "-o" | "--origin" => options.origin = Some(value()?),
            "--ca" => options.ca = Some(value()?.into()),
            "-m" | "--message" => options.send.push(Piece::Text(value()?)),
            "-b" | "--binary" => options.send.push(Piece::File(value()?.into())),
            "-n" | "--count" => options.count = Some(number(&word, &value()?)?),
            "-w" | "--wait" => options.wait = Some(seconds(&word, &value()?)?),
            "-p" | "--ping" => options.ping = Some(seconds(&word, &value()?)?),
            "-t" | "--timing" => options.timing = true,
            option if option.starts_with('-') => return Err(format!("there is no option {word}")),
            _ if options.url.is_some() => return Err(format!("too many arguments: {word}")),
            _ => options.url = Some(word),
        }
    }
    Ok(Some(options))
}

fn header(given: &str) -> Result<(String, String), String> {
    let (name, value) = given
        .split_once(':')
        .ok_or(format!("{given:?} is no header: write 'NAME: VALUE'"))?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

fn number(option: &str, given: &str) -> Result<u64, String> {
    given
        .parse()
        .ok()
        .filter(|&number| number > 0)
        .ok_or(format!(
            "{option} takes a number above 0, and not {given:?}"
        ))
}

fn seconds(option: &str, given: &str) -> Result<Duration, String> {
    given
        .parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|time| !time.is_zero())
        .ok_or(format!("{option} takes seconds above 0, and not {given:?}"))
}
