//! `subject ADDR echo|broadcast|away [LIMIT=VALUE]...`: a server whose limits and counters can be told, where an example's
//! will not do. `away`: an echo whose application is away with each message until its input says `back`.
//!
//! Prints `listening on ws://ADDR/`, then `close CODE` for each connection that ended; each other line of its input is
//! answered with `stats CONNECTIONS HANDSHAKES STALLED`. The end of its input shuts it down.

use std::error::Error;
use std::io::stdin;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use wshub::{Event, Limits, Server, ServerHandle};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [addr, mode, limits @ ..] = args.as_slice() else {
        return Err("usage: subject ADDR echo|broadcast|away [LIMIT=VALUE]...".into());
    };
    let server = Server::builder()
        .limits(limits_of(limits)?)
        .hosts(["192.0.2.1"])
        .bind(addr.as_str())?;
    println!("listening on ws://{}/", server.local_addr()?);
    let handle = server.handle();
    let (tell, back) = channel();
    thread::Builder::new().spawn(move || answer(&handle, &tell))?;
    for event in server.events() {
        match event {
            Event::Message(connection, message) if mode != "broadcast" => {
                if mode == "away" {
                    // Nobody tells any more: its input has ended.
                    let _ = back.recv();
                }
                // Who left meanwhile has its Close under way.
                let _ = connection.send(message);
            }
            Event::Message(_, message) => drop(server.broadcast(message)),
            Event::Close(_, close) => println!("close {}", close.code),
            _ => {}
        }
    }
    Ok(())
}

fn limits_of(words: &[String]) -> Result<Limits, Box<dyn Error>> {
    let mut limits = Limits::default();
    for word in words {
        let (name, value) = word.split_once('=').ok_or("LIMIT=VALUE")?;
        let value: u64 = value.parse()?;
        let time = Duration::from_millis(value);
        match name {
            "connections" => limits.max_connections = value.try_into()?,
            "handshakes" => limits.max_handshakes = value.try_into()?,
            "handshake_ms" => limits.handshake_timeout = time,
            "ping_ms" => limits.ping_interval = Some(time),
            "pong_ms" => limits.pong_timeout = time,
            "idle_thread_ms" => limits.idle_thread_timeout = time,
            _ => return Err(format!("no limit {name}").into()),
        }
    }
    Ok(limits)
}

fn answer(handle: &ServerHandle, back: &Sender<()>) {
    for line in stdin().lines().map_while(Result::ok) {
        if line == "back" {
            let _ = back.send(());
            continue;
        }
        let stats = handle.stats();
        println!(
            "stats {} {} {}",
            stats.connections, stats.handshakes, stats.stalled
        );
    }
    handle.shutdown();
}
