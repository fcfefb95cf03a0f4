//! The client's role for the outside judges in `tests/interop/run`:
//!
//! - `client checks URL`: the checks of `tests/interop/servers/part.sh` against a foreign server.
//!   `TLS_CA` names the authority of a `wss://` server. `COMPRESSION`: as the last word of the server's arguments; here
//!   the server must accept it.
//! - `client autobahn whole|split URL AGENT`: every case of Autobahn's fuzzing server; `split` reads and sends by two halves.

use std::error::Error;
use std::process::ExitCode;

use wshub::{Client, ClientRequest, ClientTls, CloseEvent, Limits, Message};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const TEXT: &str = "naïve – 漢字 – 😀";
const REASON: &str = "enough, danke schön";

fn main() -> Outcome<ExitCode> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["checks", url] => Ok(checks(url)),
        ["autobahn", mode @ ("whole" | "split"), url, agent] => {
            autobahn(url, agent, *mode == "split")?;
            Ok(ExitCode::SUCCESS)
        }
        _ => Err("usage: client checks URL, or client autobahn whole|split URL AGENT".into()),
    }
}

fn open(url: &str) -> Outcome<Client> {
    // Autobahn sends 16 MiB messages (9.1, 9.2) and 65,537 fragments (9.3, 9.4).
    let limits = Limits {
        max_message: 16 << 20,
        max_fragments: 100_000,
        ..Limits::default()
    };
    let mut request = ClientRequest::new(url)?.with_limits(limits);
    if let Ok(ca) = std::env::var("TLS_CA") {
        request = request.with_tls(&ClientTls::builder().ca_file(ca).build()?);
    }
    if let Ok(kind) = std::env::var("COMPRESSION") {
        request = request.with_compression(wshub_interop::compression(&kind));
    }
    Ok(wshub::connect(request)?)
}

// ---- foreign servers

fn checks(url: &str) -> ExitCode {
    println!("against {url}");
    let mut failed = false;
    let mut check = |name: &str, outcome: Outcome| match outcome {
        Ok(()) => println!("ok   {name}"),
        Err(error) => {
            failed = true;
            println!("FAIL {name}: {error}");
        }
    };
    check("text", comes_back(url, TEXT.into()));
    check("binary 64 KiB", comes_back(url, binary(64 << 10)));
    check("binary 1 MiB", comes_back(url, binary(1 << 20)));
    // The server sends it in several frames.
    let fragments = format!("{url}fragments");
    check("fragments", comes_back(&fragments, TEXT.into()));
    // The server pings with it, and sends what the pong brought.
    let pings = format!("{url}ping");
    check("ping from the server", comes_back(&pings, TEXT.into()));
    check("ping to the server", ping(url));
    check("client closes", client_closes(url));
    for code in [1000, 3000, 4999] {
        check(&format!("server closes {code}"), server_closes(url, code));
    }
    ExitCode::from(u8::from(failed))
}

fn comes_back(url: &str, message: Message) -> Outcome {
    let mut ws = open(url)?;
    if std::env::var_os("COMPRESSION").is_some() && ws.extensions().is_empty() {
        return Err("the server declined compression".into());
    }
    ws.send(message.clone())?;
    let seen = ws.read()?;
    if seen.as_ref() != Some(&message) {
        let seen = seen.map(|seen| seen.len());
        return Err(format!("{seen:?} bytes instead of the {} sent", message.len()).into());
    }
    closes(ws)
}

/// The pong comes before the echo, and is not shown.
fn ping(url: &str) -> Outcome {
    let mut ws = open(url)?;
    ws.ping()?;
    ws.send(TEXT)?;
    match ws.read()? {
        Some(message) if message.as_text() == Some(TEXT) => closes(ws),
        other => Err(format!("{other:?} behind the pong").into()),
    }
}

fn client_closes(url: &str) -> Outcome {
    closes(open(url)?)
}

fn closes(mut ws: Client) -> Outcome {
    ws.close(1000, "bye")?;
    let close = ended(ws)?;
    match (u16::from(close.code), close.was_clean) {
        (1000, true) => Ok(()),
        _ => Err(format!("{close:?} instead of a clean 1000").into()),
    }
}

fn server_closes(url: &str, code: u16) -> Outcome {
    let mut ws = open(&format!("{url}close/{code}"))?;
    ws.send(REASON)?;
    let close = ended(ws)?;
    match u16::from(close.code) == code && close.reason == REASON && close.was_clean {
        true => Ok(()),
        false => Err(format!("{close:?} instead of a clean {code} {REASON:?}").into()),
    }
}

fn ended(mut ws: Client) -> Outcome<CloseEvent> {
    match ws.read()? {
        None => Ok(ws.close_event().cloned().ok_or("no close event")?),
        Some(message) => Err(format!("{} bytes instead of the end", message.len()).into()),
    }
}

fn binary(len: usize) -> Message {
    Message::Binary((0..len).map(|i| (i * 31 % 251) as u8).collect())
}

// ---- Autobahn's fuzzing server

fn autobahn(url: &str, agent: &str, split: bool) -> Outcome {
    let mut count = open(&format!("{url}getCaseCount"))?;
    let message = count.read()?.ok_or("no case count")?;
    let cases: u32 = message.as_text().ok_or("not a number")?.parse()?;
    for case in 1..=cases {
        let ws = open(&format!("{url}runCase?case={case}&agent={agent}"))?;
        // How a case ends is for the report to judge.
        let _ = match split {
            false => echo(ws),
            true => echo_split(ws),
        };
    }
    let mut reports = open(&format!("{url}updateReports?agent={agent}"))?;
    while reports.read()?.is_some() {}
    println!("{cases} cases");
    Ok(())
}

fn echo(mut ws: Client) -> Outcome {
    while let Some(message) = ws.read()? {
        ws.send(message)?;
    }
    Ok(())
}

fn echo_split(ws: Client) -> Outcome {
    let (mut reader, mut writer) = ws.split();
    while let Some(message) = reader.read()? {
        writer.send(message)?;
    }
    Ok(())
}
