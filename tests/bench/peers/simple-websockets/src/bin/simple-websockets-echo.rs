//! Echo from one loop over the events of all connections.

use simple_websockets::{Event, Responder};
use std::collections::HashMap;

fn main() -> std::io::Result<()> {
    let events = peer_simple_websockets::serve()?;
    let mut clients = HashMap::<u64, Responder>::new();
    loop {
        match events.poll_event() {
            Event::Connect(id, client) => drop(clients.insert(id, client)),
            Event::Disconnect(id) => drop(clients.remove(&id)),
            Event::Message(id, message) => drop(clients[&id].send(message)),
        }
    }
}
