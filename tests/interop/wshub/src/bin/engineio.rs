//! `engineio ADDR [PING_MS PONG_MS]`: a server of Engine.IO for the judges in `tests/interop/run`, which sends each message back; a text
//! `close` ends its session. PING_MS and PONG_MS: the interval of the heartbeat and how long a pong may take.
//!
//! Prints `listening on ws://ADDR/` when it accepts, then which sessions ended and why; SIGTERM and SIGINT end it with exit status 0.

use std::error::Error;
use std::time::Duration;

use wshub::socketio::engine::{EngineHandler, EngineIo, EngineSocket};
use wshub::socketio::{DisconnectReason, Limits};
use wshub::{Message, Server};
use wshub_interop::serve;

struct Echo;

impl EngineHandler for Echo {
    fn on_message(&mut self, socket: &EngineSocket, message: Message) {
        match &message {
            Message::Text(text) if text == "close" => socket.close(),
            _ => socket.send(message),
        }
    }

    fn on_close(&mut self, _: &EngineSocket, reason: DisconnectReason) {
        println!("left: {reason}");
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let addr = args
        .first()
        .ok_or("usage: engineio ADDR [PING_MS PONG_MS]")?;
    let mut limits = Limits::default();
    if let [_, ping, pong, ..] = &*args {
        limits.ping_interval = Duration::from_millis(ping.parse()?);
        limits.ping_timeout = Duration::from_millis(pong.parse()?);
    }
    let mut engine = EngineIo::with_limits(Echo, limits);
    let builder = Server::builder().engineio(&engine, "/engine.io/");
    serve(builder, addr, &mut engine)
}
