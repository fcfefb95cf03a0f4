//! `server ADDR app|own`: echoes every message, for the judges in `tests/interop/run`.
//!
//! `app` answers from the application thread's event loop, `own` from a closure on each connection's own thread.
//! Prints `listening on ws://ADDR/` when it accepts; SIGTERM and SIGINT end it with 1001 to all and exit status 0.

use std::error::Error;

use wshub::{Event, Limits, Server};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [addr, mode] = args.as_slice() else {
        return Err("usage: server ADDR app|own".into());
    };
    // Autobahn sends 16 MiB messages (9.1, 9.2) and 65,537 fragments (9.3, 9.4).
    let limits = Limits {
        max_message: 16 << 20,
        max_fragments: 100_000,
        ..Limits::default()
    };
    match mode.as_str() {
        "app" => app(addr, limits),
        "own" => own(addr, limits),
        _ => Err("the mode is app or own".into()),
    }
}

fn app(addr: &str, limits: Limits) -> Result<(), Box<dyn Error>> {
    let server = Server::builder()
        .limits(limits)
        .subprotocols(["chat"])
        .origins(["*"])
        .bind(addr)?;
    let handle = server.handle();
    ctrlc::set_handler(move || handle.shutdown())?;
    println!("listening on ws://{}/", server.local_addr()?);
    for event in server.events() {
        if let Event::Message(conn, message) = event {
            let _ = conn.send(message);
        }
    }
    Ok(())
}

fn own(addr: &str, limits: Limits) -> Result<(), Box<dyn Error>> {
    let handle = Server::builder().limits(limits).serve(addr, |mut ws| {
        while let Some(message) = ws.read()? {
            ws.send(message)?;
        }
        Ok(())
    })?;
    let stop = handle.clone();
    ctrlc::set_handler(move || stop.shutdown())?;
    println!("listening on ws://{}/", handle.local_addr()?);
    handle.wait();
    Ok(())
}
