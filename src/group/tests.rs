use super::*;
use crate::event::Event;
use crate::limits::Limits;
use crate::server::Server;
use crate::testing;
use crate::tests::PATIENCE;

/// Connections of a server, and what keeps them open.
pub(crate) fn connections(server: &Server, count: usize) -> (Vec<Connection>, Vec<impl Sized>) {
    let mut events = server.events();
    let open = |_| {
        let (stream, peer) = testing::duplex();
        server.attach(stream);
        let client = testing::Client::open(peer, "/").unwrap();
        match events.recv_timeout(PATIENCE) {
            Ok(Event::Open(connection)) => (connection, client),
            other => panic!("{other:?}"),
        }
    };
    (0..count).map(open).unzip()
}

#[test]
fn a_group_that_most_have_left_gives_memory_back() {
    // These clients answer no pings, and opening many may take a slow machine long.
    let limits = Limits {
        ping_interval: None,
        ..Limits::default()
    };
    let server = Server::builder().limits(limits).without_listener().unwrap();
    let (connections, _clients) = connections(&server, 100);
    let mut group = Group::new();
    connections
        .iter()
        .for_each(|it| assert!(group.join(it) && !group.join(it)));
    assert!(group.members.capacity() >= 100);
    for connection in connections.iter().skip(1) {
        assert!(group.leave(connection) && !group.leave(connection));
    }
    assert!(group.contains(&connections[0]) && group.len() == 1);
    assert!(group.members.capacity() <= 32);
}
