//! Echo from one loop over the events of all connections.

fn main() -> std::io::Result<()> {
    peer_simple_websockets::serve(|clients, id, message| {
        clients[&id].send(message);
    })
}
