//! A page, and what one of its windows sends all get: `broadcast 0.0.0.0:9001`.

use wshub::{Event, Limits, Response, Server};

fn main() -> std::io::Result<()> {
    let addr = std::env::args().nth(1).unwrap_or("127.0.0.1:9001".into());
    let server = Server::builder()
        .limits(Limits::small())
        .http(|_| Response::html(include_str!("../../../../../examples/broadcast.html")))
        .bind(addr)?;
    for event in server.events() {
        if let Event::Message(_, message) = event {
            server.broadcast(message);
        }
    }
    Ok(())
}
