//! What its two servers share: one loop over the events of all connections.

use simple_websockets::{Event, Message, Responder, launch_from_listener};
use std::collections::HashMap;
use std::net::TcpListener;

/// Calls `on_message` for every message, with all clients and the one that sent it.
pub fn serve(on_message: impl Fn(&HashMap<u64, Responder>, u64, Message)) -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("listening on ws://{}/", listener.local_addr()?);
    let events = launch_from_listener(listener)
        .map_err(|error| std::io::Error::other(format!("{error:?}")))?;
    let mut clients = HashMap::new();
    loop {
        match events.poll_event() {
            Event::Connect(id, client) => drop(clients.insert(id, client)),
            Event::Disconnect(id) => drop(clients.remove(&id)),
            Event::Message(id, message) => on_message(&clients, id, message),
        }
    }
}
