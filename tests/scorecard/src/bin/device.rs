//! `device ADDR plain|tls`: an echo and a page as a small machine has them. The end of its input shuts it down.

use std::error::Error;
use std::io::stdin;
use std::thread;

use scorecard::support::tls::Authority;
use wshub::{Event, Limits, Response, Server};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [addr, mode] = args.as_slice() else {
        return Err("usage: device ADDR plain|tls".into());
    };
    let mut builder = Server::builder()
        .limits(Limits::small())
        .http(|_| Response::html("a page"));
    if mode == "tls" {
        builder = builder.tls(&Authority::new().tls());
    }
    let server = builder.bind(addr.as_str())?;
    println!("listening on ws://{}/", server.local_addr()?);
    let handle = server.handle();
    thread::Builder::new().spawn(move || {
        stdin().lines().for_each(drop);
        handle.shutdown();
    })?;
    for event in server.events() {
        if let Event::Message(connection, message) = event {
            // Who left meanwhile has its Close under way.
            let _ = connection.send(message);
        }
    }
    Ok(())
}
