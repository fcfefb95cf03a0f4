//! Who may know whom: each room of src names only rooms below it.

use std::collections::BTreeSet;

use crate::imports::Tree;

/// The rooms, from the ground up: each may name those in front of it. A room is a folder of src or a file there.
const ROOMS: &[&str] = &[
    "copy",
    "lock",
    "http",
    "compression",
    "protocol",
    "address_space",
    "descriptors",
    "logging",
    "stats",
    "handshake",
    "clock",
    "limits",
    "message",
    "error",
    "poller",
    "patience",
    "transport",
    "tls",
    "outbox",
    "connection",
    "event",
    "group",
    "handler",
    "server",
    "websocket",
    "client",
    "testing",
    "socketio",
];

/// Arrows that point up today and are to go: a room, and one above it that it names. This list only shrinks.
const TODAY: &[(&str, &str)] = &[("server", "websocket")];

fn room(path: &str) -> &str {
    let room = path.split('/').next().unwrap_or(path);
    room.trim_end_matches(".rs")
}

/// How far up a room is.
fn floor(room: &str) -> usize {
    let floor = ROOMS.iter().position(|other| *other == room);
    floor.unwrap_or_else(|| panic!("give {room} its place in ROOMS"))
}

#[test]
fn each_room_names_only_rooms_below_it() {
    let tree = Tree::of_the_library();
    let imports = tree.imports();
    let mut upward = Vec::new();
    let mut seen = BTreeSet::new();
    for import in &imports {
        let (from, to) = (room(&import.from), room(&import.to));
        if floor(from) >= floor(to) {
            continue;
        }
        seen.insert((from, to));
        if !TODAY.contains(&(from, to)) {
            upward.push(format!("{} names {}", import.from, import.to));
        }
    }
    assert!(
        imports.len() > 100,
        "only {} imports were found",
        imports.len()
    );
    assert!(
        upward.is_empty(),
        "rooms that name one above them: {upward:#?}"
    );
    for arrow in TODAY {
        assert!(
            seen.contains(arrow),
            "take {arrow:?} off the list: it is gone"
        );
    }
}

#[test]
fn every_room_in_the_list_is_there() {
    let tree = Tree::of_the_library();
    let rooms: BTreeSet<&str> = tree.files().map(|file| room(&file.path)).collect();
    let gone: Vec<_> = ROOMS.iter().filter(|room| !rooms.contains(*room)).collect();
    assert!(gone.is_empty(), "take them off the list: {gone:?}");
}
