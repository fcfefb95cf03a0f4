//! What its two servers share: the start.

use simple_websockets::{EventHub, launch_from_listener};
use std::net::TcpListener;

pub fn serve() -> std::io::Result<EventHub> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("listening on ws://{}/", listener.local_addr()?);
    launch_from_listener(listener).map_err(|error| std::io::Error::other(format!("{error:?}")))
}
