//! Who may know whom: each room of src names only rooms below it.

use std::collections::BTreeSet;

use crate::imports::Tree;

/// The rooms, from the ground up: each may name those in front of it. A room is a folder of src or a file there.
const ROOMS: &[&str] = &[
    "atomic",
    "copy",
    "lock",
    "spawn",
    "http",
    "panics",
    "overflow",
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
    "dial",
    "tls",
    "outbox",
    "connection",
    "event",
    "group",
    "handler",
    "websocket",
    "server",
    "client",
    "cluster",
    "testing",
    "socketio",
];

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
    for import in &imports {
        let (from, to) = (room(&import.from), room(&import.to));
        if floor(from) < floor(to) {
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
}

/// Rooms that are built on what users have, and what they name beside that: locks in one order, the one way to the log, to
/// a thread, to another program, and the end of a panic.
const ON_THE_FACE: &[&str] = &["cluster"];
const BESIDE_IT: &[&str] = &["atomic", "dial", "lock", "logging", "panics", "spawn"];

/// The names right after each `crate::`.
fn named_of_the_crate(tokens: &[String]) -> Vec<&str> {
    let mut names = Vec::new();
    for at in tokens.windows(2).enumerate().filter_map(|(at, pair)| {
        let is_crate = pair[0] == "crate" && pair[1] == "::";
        is_crate.then_some(at + 2)
    }) {
        let (mut depth, mut before) = (0, "{");
        for token in tokens[at..].iter().map(String::as_str) {
            match token {
                "{" => depth += 1,
                "}" => depth -= 1,
                name if depth < 2 && matches!(before, "{" | ",") => names.push(name),
                _ => {}
            }
            before = token;
            if depth < 1 {
                break;
            }
        }
    }
    names
}

#[test]
fn what_is_built_on_the_face_names_nothing_behind_it() {
    let tree = Tree::of_the_library();
    let mut seen = 0;
    for file in tree.files() {
        let own = room(&file.path);
        if !ON_THE_FACE.contains(&own) {
            continue;
        }
        for name in named_of_the_crate(&file.tokens) {
            let is_a_type = name.starts_with(char::is_uppercase);
            let may = is_a_type || name == own || BESIDE_IT.contains(&name);
            assert!(may, "src/{} names crate::{name}", file.path);
            seen += 1;
        }
    }
    assert!(seen > 20, "only {seen} names were found");
}

#[test]
fn names_of_the_crate_are_found() {
    let source = "use crate::{A, b::{C, d}, E};\nuse crate::f::G; fn h() { crate::i() }";
    let tokens = crate::tokens::tokens(source);
    assert_eq!(named_of_the_crate(&tokens), ["A", "b", "E", "f", "i"]);
}

#[test]
fn every_room_in_the_list_is_there() {
    let tree = Tree::of_the_library();
    let rooms: BTreeSet<&str> = tree.files().map(|file| room(&file.path)).collect();
    let gone: Vec<_> = ROOMS.iter().filter(|room| !rooms.contains(*room)).collect();
    assert!(gone.is_empty(), "take them off the list: {gone:?}");
}
