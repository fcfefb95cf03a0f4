//! tungstenite against the server: `client URL`; the checks are those of `tests/interop/clients/part.sh`.

use std::error::Error;
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::Duration;

use tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tungstenite::protocol::frame::{CloseFrame, Frame};
use tungstenite::{Message, WebSocket};

const TEXT: &str = "naïve – 漢字 – 😀";
const REASON: &str = "enough, danke schön";

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> ExitCode {
    let Some(url) = std::env::args().nth(1) else {
        eprintln!("usage: client URL");
        return ExitCode::from(2);
    };
    println!("tungstenite");
    let mut failed = false;
    let mut check = |name: &str, outcome: Outcome| match outcome {
        Ok(()) => println!("ok   {name}"),
        Err(error) => {
            failed = true;
            println!("FAIL {name}: {error}");
        }
    };
    check("text", comes_back(&url, Message::text(TEXT)));
    check("binary 64 KiB", comes_back(&url, binary(64 << 10)));
    check("binary 1 MiB", comes_back(&url, binary(1 << 20)));
    check("fragments", fragments(&url));
    check("ping", ping(&url));
    check("client closes", client_closes(&url));
    for code in [1000, 3000, 4999] {
        check(
            &format!("server closes {code}"),
            server_closes(&url, code.into()),
        );
    }
    ExitCode::from(u8::from(failed))
}

fn open(url: &str) -> Result<WebSocket<TcpStream>, Box<dyn Error>> {
    let authority = url.trim_start_matches("ws://").split('/').next();
    let stream = TcpStream::connect(authority.unwrap_or_default())?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.set_nodelay(true)?;
    Ok(tungstenite::client(url, stream)?.0)
}

fn comes_back(url: &str, message: Message) -> Outcome {
    let mut ws = open(url)?;
    ws.send(message.clone())?;
    same(ws.read()?, message)?;
    closes(ws, "")
}

fn fragments(url: &str) -> Outcome {
    let mut ws = open(url)?;
    let (first, rest) = TEXT.split_at("naïv".len());
    for (part, data, last) in [
        (first, Data::Text, false),
        ("", Data::Continue, false),
        (rest, Data::Continue, true),
    ] {
        ws.send(Message::Frame(Frame::message(
            part.to_owned(),
            OpCode::Data(data),
            last,
        )))?;
    }
    same(ws.read()?, Message::text(TEXT))?;
    closes(ws, "")
}

fn ping(url: &str) -> Outcome {
    let mut ws = open(url)?;
    ws.send(Message::Ping("are you there".into()))?;
    same(ws.read()?, Message::Pong("are you there".into()))?;
    closes(ws, "")
}

fn client_closes(url: &str) -> Outcome {
    closes(open(url)?, "bye")
}

/// Closes from this end; wshub answers with the code alone.
fn closes(mut ws: WebSocket<TcpStream>, reason: &'static str) -> Outcome {
    ws.close(Some(CloseFrame {
        code: CloseCode::Normal,
        reason: reason.into(),
    }))?;
    closed(ws, CloseCode::Normal, "")
}

fn server_closes(url: &str, code: CloseCode) -> Outcome {
    let mut ws = open(&format!("{url}close/{code}"))?;
    ws.send(Message::text(REASON))?;
    closed(ws, code, REASON)
}

fn closed(mut ws: WebSocket<TcpStream>, code: CloseCode, reason: &'static str) -> Outcome {
    let frame = CloseFrame {
        code,
        reason: reason.into(),
    };
    same(ws.read()?, Message::Close(Some(frame)))?;
    match ws.read() {
        Err(tungstenite::Error::ConnectionClosed) => Ok(()),
        other => Err(format!("{other:?} instead of the end of the connection").into()),
    }
}

fn binary(length: usize) -> Message {
    Message::binary(
        (0..length)
            .map(|i| (i * 31 % 251) as u8)
            .collect::<Vec<_>>(),
    )
}

fn same(seen: Message, wanted: Message) -> Outcome {
    if seen == wanted {
        return Ok(());
    }
    let tell = |message: &Message| match message {
        Message::Binary(data) => format!("{} bytes", data.len()),
        other => format!("{other:?}"),
    };
    Err(format!("{} instead of {}", tell(&seen), tell(&wanted)).into())
}
