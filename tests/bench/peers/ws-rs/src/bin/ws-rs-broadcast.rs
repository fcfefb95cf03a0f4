//! Broadcast from ws-rs's event loop.

use ws::{Message, Sender};

fn main() -> ws::Result<()> {
    peer_ws_rs::serve(|out: Sender| move |message: Message| out.broadcast(message))
}
