//! Broadcast from one loop over the events of all connections.

fn main() -> std::io::Result<()> {
    peer_simple_websockets::serve(|clients, _, message| {
        for client in clients.values() {
            client.send(message.clone());
        }
    })
}
