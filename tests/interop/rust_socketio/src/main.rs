//! rust_socketio of crates.io against the server: `wshub-interop-rust-socketio URL polling|websocket|upgrade`
//!
//! What rust_socketio 0.6 cannot do, and what is done instead:
//! - its blocking client answers no question of the server, so the server's timeout is checked;
//! - it sends binary data that asks for an answer as an answer (`6` for `5`), so binary data ask for none;
//! - it hears a binary event only with the data as its one argument, so that is what `echo` gives back;
//! - it cuts binary data over a WebSocket at each byte 0x1E, as if it were a payload of polling, so there the data have none;
//! - a client that is dropped stays connected, so each check has rooms of its own;
//! - it cannot disconnect in a callback, which holds its lock, so nothing here calls the client from one;
//! - the thread of a client that has disconnected spins until the program ends, so that check comes last.

use std::env;
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use rust_socketio::client::Client as Socket;
use rust_socketio::{ClientBuilder, Event, Payload, TransportType};
use serde_json::{Value, json};

type Outcome = Result<(), String>;
type Check = fn(&Site) -> Outcome;

const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let args: Vec<String> = env::args().collect();
    let [_, url, mode] = &args[..] else {
        eprintln!("usage: wshub-interop-rust-socketio URL polling|websocket|upgrade");
        return ExitCode::from(2);
    };
    let transport = match mode.as_str() {
        "polling" => TransportType::Polling,
        "websocket" => TransportType::Websocket,
        _ => TransportType::WebsocketUpgrade,
    };
    let site = Site { url, transport };
    let checks: [(&str, Check); 11] = [
        ("event and answer", event_and_answer),
        ("proof", proof),
        ("binary", binary),
        ("rooms", rooms),
        ("2,000 in order", in_order),
        ("no answer in time", no_answer_in_time),
        ("namespaces", namespaces),
        ("refusal", refusal),
        ("kicked", kicked),
        ("heartbeat", heartbeat),
        ("disconnect", disconnect),
    ];
    println!("crates.io rust_socketio, {mode}");
    let mut status = ExitCode::SUCCESS;
    for (name, check) in checks {
        match check(&site) {
            Ok(()) => println!("ok   {name}"),
            Err(error) => {
                println!("FAIL {name}: {error}");
                status = ExitCode::FAILURE;
            }
        }
    }
    status
}

/// The server, and how to reach it.
struct Site<'a> {
    url: &'a str,
    transport: TransportType,
}

impl Site<'_> {
    fn client(&self) -> Result<Client, String> {
        self.client_of("/", json!({}))
    }

    /// A client that the server has let in.
    fn client_of(&self, namespace: &str, auth: Value) -> Result<Client, String> {
        let client = self.attempt(namespace, auth)?;
        client.event("connect").map(|_| client)
    }

    /// A client that the server may refuse.
    fn attempt(&self, namespace: &str, auth: Value) -> Result<Client, String> {
        let (sender, events) = mpsc::channel();
        let tell =
            move |event: Event, payload: Payload| _ = sender.send((event.to_string(), payload));
        let (any, connect, close, error) = (tell.clone(), tell.clone(), tell.clone(), tell);
        let socket = ClientBuilder::new(self.url)
            .transport_type(self.transport.clone())
            .namespace(namespace)
            .auth(auth)
            .on_any(move |event, payload, _| any(event, payload))
            .on(Event::Connect, move |payload, _| {
                connect(Event::Connect, payload)
            })
            .on(Event::Close, move |payload, _| close(Event::Close, payload))
            .on(Event::Error, move |payload, _| error(Event::Error, payload))
            .connect()
            .map_err(|error| error.to_string())?;
        Ok(Client { socket, events })
    }
}

/// A client whose events wait in a queue.
struct Client {
    socket: Socket,
    events: Receiver<(String, Payload)>,
}

impl Client {
    fn emit(&self, event: &str, data: impl Into<Payload>) -> Outcome {
        self.socket
            .emit(event, data)
            .map_err(|error| error.to_string())
    }

    /// What the server answers, an array.
    fn call(&self, event: &str, args: Vec<Value>) -> Result<Value, String> {
        let (sender, answers) = mpsc::channel();
        self.socket
            .emit_with_ack(event, args, PATIENCE, move |answer, _| {
                _ = sender.send(answer)
            })
            .map_err(|error| error.to_string())?;
        let answer = answers
            .recv_timeout(PATIENCE)
            .map_err(|_| format!("no answer to {event}"))?;
        match texts(answer)?.as_mut_slice() {
            [answer] => Ok(answer.take()),
            more => Err(format!("{} answers in place of one", more.len())),
        }
    }

    /// The next event of this name; those before it are passed over.
    fn event(&self, name: &str) -> Result<Payload, String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self
                .events
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok((event, payload)) if event == name => return Ok(payload),
                Ok(_) => {}
                Err(error) => return Err(format!("no event {name}: {error}")),
            }
        }
    }

    fn texts(&self, name: &str) -> Result<Vec<Value>, String> {
        self.event(name).and_then(texts)
    }
}

fn texts(payload: Payload) -> Result<Vec<Value>, String> {
    match payload {
        Payload::Text(values) => Ok(values),
        other => Err(format!("{other:?} in place of text")),
    }
}

fn same<T: PartialEq + std::fmt::Debug>(seen: T, wanted: T) -> Outcome {
    if seen == wanted {
        Ok(())
    } else {
        Err(format!("{seen:?} in place of {wanted:?}"))
    }
}

fn event_and_answer(site: &Site) -> Outcome {
    let client = site.client()?;
    let args = vec![json!(1), json!("naïve – 漢字 – 😀"), json!({"a": [null]})];
    same(client.call("echo", args.clone())?, json!(args))?;
    same(client.texts("echo")?, args)
}

fn proof(site: &Site) -> Outcome {
    let client = site.client_of("/", json!({"token": "abc"}))?;
    same(client.texts("auth")?, vec![json!({"token": "abc"})])
}

fn binary(site: &Site) -> Outcome {
    let client = site.client()?;
    let whole = site.transport == TransportType::Polling;
    let data: Vec<u8> = (0..=255)
        .filter(|byte| whole || *byte != 0x1e)
        .cycle()
        .take(128_000)
        .collect();
    client.emit("echo", data.clone())?;
    match client.event("echo")? {
        Payload::Binary(echo) => same(echo == data, true),
        other => Err(format!("{other:?} in place of binary data")),
    }
}

fn rooms(site: &Site) -> Outcome {
    let (ann, bob) = (site.client()?, site.client()?);
    ann.call("join", vec![json!("r")])?;
    bob.call("join", vec![json!("r")])?;
    same(
        ann.call("say", vec![json!("r"), json!("hello")])?,
        json!([1]),
    )?;
    same(bob.texts("said")?.pop(), Some(json!("hello")))?;
    bob.call("leave", vec![json!("r")])?;
    same(
        ann.call("say", vec![json!("r"), json!("anybody")])?,
        json!([0]),
    )
}

fn in_order(site: &Site) -> Outcome {
    let client = site.client()?;
    client.emit("count", json!(2000))?;
    (0..2000).try_for_each(|number| same(client.texts("number")?, vec![json!(number)]))
}

fn no_answer_in_time(site: &Site) -> Outcome {
    let client = site.client()?;
    client.emit("ask me", json!(500))?;
    same(client.texts("question")?, vec![json!(21)])?;
    client.event("unanswered").map(drop)
}

fn namespaces(site: &Site) -> Outcome {
    let client = site.client_of("/custom", json!({}))?;
    same(client.call("echo", vec![json!(1)])?, json!([1]))
}

fn refusal(site: &Site) -> Outcome {
    let refused = site.attempt("/admin", json!({"token": "wrong"}))?;
    let told = format!("{:?}", refused.event("error")?);
    same(
        told.contains("who are you?") && told.contains("sesame"),
        true,
    )
    .map_err(|_| told)?;
    let client = site.attempt("/admin", json!({"token": "sesame"}))?;
    same(
        client.texts("early")?,
        vec![json!("sent before the welcome")],
    )
}

fn kicked(site: &Site) -> Outcome {
    let client = site.client()?;
    client.emit("kick me", Vec::<Value>::new())?;
    client.event("close").map(drop)
}

fn heartbeat(site: &Site) -> Outcome {
    let client = site.client()?;
    std::thread::sleep(Duration::from_secs(3)); // three intervals of the server's
    same(client.call("echo", vec![json!(1)])?, json!([1]))
}

fn disconnect(site: &Site) -> Outcome {
    let (ann, bob) = (site.client()?, site.client()?);
    bob.call("join", vec![json!("parting")])?;
    same(
        ann.call("say", vec![json!("parting"), json!("hello")])?,
        json!([1]),
    )?;
    bob.socket.disconnect().map_err(|error| error.to_string())?;
    let deadline = Instant::now() + PATIENCE;
    while ann.call("say", vec![json!("parting"), json!("anybody")])? != json!([0]) {
        same(Instant::now() < deadline, true).map_err(|_| "it stays in its room")?;
    }
    Ok(())
}
