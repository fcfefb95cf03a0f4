//! `herd URL COUNT`: so many clients that connect again, as a page's would, until SIGTERM.
//!
//! At first they come one by one: of many at once a busy machine tells some to come again (503), as it should. Each sends
//! a message over each connection, and waits for its echo. Prints `all are connected` each time that they are, and at the
//! end how often they connected, how they were parted from, and the longest that one waited beyond its own back-off. Exit
//! status 1 where a try to connect failed, a connection ended otherwise than with 1012, or one waited much longer than it
//! would have by itself.

use std::error::Error;
use std::process::ExitCode;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use wshub::{ClientEvent, DisconnectCause, Reconnecting};

/// Beyond this it is not the machine that is slow.
const SLACK: Duration = Duration::from_secs(10);

/// What a client meets.
enum Met {
    Connected,
    /// So much later than by its own back-off.
    ConnectedAgain(Duration),
    Echoed,
    Parted(String),
    Failed(String),
    End,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [url, count] = args.as_slice() else {
        return Err("usage: herd URL COUNT".into());
    };
    let count: usize = count.parse()?;
    let (tell, met) = channel();
    let at_end = tell.clone();
    ctrlc::set_handler(move || drop(at_end.send(Met::End)))?;
    let mut others = 1..count;
    start(url, &tell)?;

    let (mut connected, mut again, mut echoed, mut parted) = (0_usize, 0_usize, 0, 0);
    let (mut longest, mut wrong) = (Duration::ZERO, Vec::new());
    for met in met {
        match met {
            Met::Connected => {
                connected += 1;
                tell_if_all(connected, count);
                if others.next().is_some() {
                    start(url, &tell)?;
                }
            }
            Met::ConnectedAgain(late) => {
                again += 1;
                longest = longest.max(late);
                tell_if_all(again, count);
            }
            Met::Echoed => echoed += 1,
            Met::Parted(how) if how == "1012" => parted += 1,
            Met::Parted(how) => wrong.push(format!("parted: {how}")),
            Met::Failed(why) => wrong.push(format!("no connection: {why}")),
            Met::End => break,
        }
    }
    println!(
        "{count} clients: {parted} times 1012, {again} times connected again, {echoed} echoes, at most {longest:?} beyond the back-off"
    );
    wrong.truncate(20);
    wrong.iter().for_each(|line| println!("{line}"));
    let is_well = wrong.is_empty() && longest <= SLACK && connected == count && again == parted;
    Ok(match is_well {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// The `number`th connection is the last one of a round of all.
fn tell_if_all(number: usize, count: usize) {
    if number.is_multiple_of(count) {
        println!("all are connected");
    }
}

fn start(url: &str, tell: &Sender<Met>) -> Result<(), Box<dyn Error>> {
    let client =
        Reconnecting::new(url)?.with_backoff(Duration::from_millis(300), Duration::from_secs(1));
    let tell = tell.clone();
    thread::spawn(move || live(client, &tell));
    Ok(())
}

fn live(client: Reconnecting, tell: &Sender<Met>) {
    let writer = client.writer();
    let mut due = None;
    let mut is_open = false;
    for event in client {
        let met = match event {
            ClientEvent::Connected { .. } => {
                is_open = true;
                let _ = writer.send("are you there?");
                match due {
                    None => Met::Connected,
                    Some(due) => Met::ConnectedAgain(Instant::now().saturating_duration_since(due)),
                }
            }
            ClientEvent::Message(_) => Met::Echoed,
            ClientEvent::Disconnected {
                cause, retry_in, ..
            } => {
                due = retry_in.map(|pause| Instant::now() + pause);
                match (std::mem::take(&mut is_open), cause) {
                    (true, DisconnectCause::Closed(close)) => Met::Parted(close.code.to_string()),
                    (true, cause) => Met::Parted(cause.to_string()),
                    (false, cause) => Met::Failed(cause.to_string()),
                }
            }
            _ => continue,
        };
        if tell.send(met).is_err() {
            return;
        }
    }
}
