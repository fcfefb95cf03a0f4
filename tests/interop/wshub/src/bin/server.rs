//! `server ADDR app|own [PING_MS] [deflate|takeover]`: echoes every message, for the judges in `tests/interop/run`.
//!
//! On a connection to `/close/CODE` the first message is the reason to close with CODE, on one to `/header/NAME` each
//! message is answered with that header of the request. PING_MS: the interval of pings, 0 for none. `app` answers from the application thread's event loop, `own` from a closure on each connection's own thread.
//! `deflate` compresses every message that shrinks, `takeover` with context takeover both ways.
//! With TLS_CERTIFICATE and TLS_KEY in the environment, PEM files, it speaks TLS, and has a page.
//! Prints `listening on ws://ADDR/`, or `wss`, when it accepts, then how each connection ended; SIGTERM and SIGINT end it with 1001 to
//! all and exit status 0.

use std::error::Error;
use std::time::Duration;

use wshub::{CloseEvent, Connection, Event, Limits, Message, Response, Server, ServerBuilder, Tls};

/// The public name behind nginx.
const NAME: &str = "device.example.com";

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    // Autobahn sends 16 MiB messages (9.1, 9.2) and 65,537 fragments (9.3, 9.4).
    let mut limits = Limits {
        max_message: 16 << 20,
        max_fragments: 100_000,
        ..Limits::default()
    };
    let [addr, mode, options @ ..] = args.as_slice() else {
        return Err("usage: server ADDR app|own [PING_MS] [deflate|takeover]".into());
    };
    let mut compression = None;
    for option in options {
        match option.as_str() {
            "deflate" | "takeover" => compression = Some(wshub_interop::compression(option)),
            ping => {
                let ping = Duration::from_millis(ping.parse()?);
                limits.ping_interval = Some(ping).filter(|ping| !ping.is_zero());
            }
        }
    }
    let (mut builder, scheme) = builder(limits)?;
    if let Some(compression) = compression {
        builder = builder.compression(compression);
    }
    match mode.as_str() {
        "app" => app(addr, builder, scheme),
        "own" => own(addr, builder, scheme),
        _ => Err("the mode is app or own".into()),
    }
}

fn app(addr: &str, builder: ServerBuilder, scheme: &str) -> Result<(), Box<dyn Error>> {
    let server = builder
        .subprotocols(["chat"])
        .origins(["*"])
        .hosts([NAME])
        .bind(addr)?;
    let handle = server.handle();
    ctrlc::set_handler(move || handle.shutdown())?;
    println!("listening on {scheme}://{}/", server.local_addr()?);
    for event in server.events() {
        match event {
            Event::Message(conn, message) => match answer(&conn, message) {
                Answer::Message(message) => drop(conn.send(message)),
                Answer::Close(code, reason) => drop(conn.close(code, &reason)),
            },
            Event::Error(_, error) => println!("error: {error}"),
            Event::Close(conn, close) => report(&conn, &close),
            _ => {}
        }
    }
    Ok(())
}

fn own(addr: &str, builder: ServerBuilder, scheme: &str) -> Result<(), Box<dyn Error>> {
    let handle = builder.hosts([NAME]).serve(addr, |mut ws| {
        loop {
            match ws.read() {
                Ok(Some(message)) => match answer(ws.connection(), message) {
                    Answer::Message(message) => ws.send(message)?,
                    Answer::Close(code, reason) => ws.close(code, &reason)?,
                },
                Ok(None) => break,
                Err(error) => {
                    println!("error: {error}");
                    break;
                }
            }
        }
        if let Some(close) = ws.close_event() {
            report(ws.connection(), close);
        }
        Ok(())
    })?;
    let stop = handle.clone();
    ctrlc::set_handler(move || stop.shutdown())?;
    println!("listening on {scheme}://{}/", handle.local_addr()?);
    handle.wait();
    Ok(())
}

/// With TLS if the environment says so, and the scheme of its URL.
fn builder(limits: Limits) -> Result<(ServerBuilder, &'static str), Box<dyn Error>> {
    let builder = Server::builder().limits(limits);
    match (std::env::var("TLS_CERTIFICATE"), std::env::var("TLS_KEY")) {
        (Ok(certificate), Ok(key)) => {
            let tls = Tls::from_pem_files(certificate, key)?;
            let page =
                |_: &wshub::HookRequest<'_>| Response::html("<!doctype html><title>wss</title>");
            Ok((builder.tls(&tls).http(page), "wss"))
        }
        _ => Ok((builder, "ws")),
    }
}

enum Answer {
    Message(Message),
    Close(u16, String),
}

fn answer(conn: &Connection, message: Message) -> Answer {
    let path = conn.request().path();
    if let Some(code) = path.strip_prefix("/close/").and_then(|it| it.parse().ok()) {
        return Answer::Close(code, message.as_text().unwrap_or_default().to_owned());
    }
    if let Some(name) = path.strip_prefix("/header/") {
        return Answer::Message(conn.request().header(name).unwrap_or_default().into());
    }
    Answer::Message(message)
}

fn report(conn: &Connection, close: &CloseEvent) {
    let how = if close.was_clean { "clean" } else { "unclean" };
    let compressed = match conn.extensions() {
        "" => "",
        _ => " compressed",
    };
    println!("close {} {how}{compressed}", close.code);
}
