use super::*;
use crate::group::tests::connections;
use crate::server::Server;

/// A broadcast holds the members of a room while others come and go.
#[test]
fn members_are_copied_for_a_broadcast_only_where_they_change() {
    let server = Server::builder().without_listener().unwrap();
    let (connections, _clients) = connections(&server, 2);
    let [member, other] = &connections[..] else {
        unreachable!()
    };
    let rooms = ClusterRooms::new(HistoryBounds { posts: 0, bytes: 0 });
    assert!(rooms.join("room", member));
    let held = rooms.group("room").unwrap();
    assert!(!rooms.join("room", member) && !rooms.leave("room", other));
    assert!(Arc::ptr_eq(&held, &rooms.group("room").unwrap()));
    assert!(rooms.join("room", other));
    assert_eq!((held.len(), rooms.count("room")), (1, 2));
}
