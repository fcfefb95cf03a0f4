//! The protocol and the codecs of HTTP stay plain values: no file there, and none that they reach through others, names
//! I/O, a thread, a lock, a clock, a channel or the log. Bytes and time come in as arguments (`core::time::Duration`),
//! addresses as `core::net` types.

use std::collections::{BTreeMap, BTreeSet};

use crate::imports::{Import, Tree};
use crate::tokens::tokens;

/// The folders and files that have to be pure, with all that they reach.
const PURE: &[&str] = &[
    "protocol/",
    "http/",
    "handshake/",
    "socketio/engine/protocol/",
    "socketio/bridge/message.rs",
    "socketio/packet.rs",
    "socketio/decoder.rs",
    "socketio/rooms.rs",
    "socketio/acks.rs",
    "socketio/polls.rs",
    "socketio/position.rs",
    "socketio/recovery.rs",
    "cluster/backlog.rs",
    "cluster/census.rs",
    "cluster/echo.rs",
    "cluster/frame.rs",
    "cluster/id.rs",
    "cluster/report.rs",
    "cluster/roster.rs",
];

/// Ways out of them that are there today and are to go: from a file, to one that may do I/O. This list only shrinks.
const TODAY: &[(&str, &str)] = &[];

/// What reads for every kind of connection: without I/O too, and given the `Instant`s that it counts with.
const GIVEN_THE_TIME: &[&str] = &["connection/conversation.rs", "connection/read_buffer.rs"];

/// Names that may not occur, whatever comes before them.
const NAMES: &[&str] = &[
    "Instant",
    "SystemTime",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "crossbeam",
    "crossbeam_channel",
    "rustix",
    "log",
    "println",
    "eprintln",
    "print",
    "eprint",
    "dbg",
    "Mutex",
    "Condvar",
    "RwLock",
    "thread_local",
];

/// Modules of `std` that may not occur.
const MODULES: &[&str] = &[
    "io", "net", "thread", "sync", "time", "fs", "process", "env", "os",
];

/// What a source names that it should not.
fn impurities(tokens: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for (i, token) in tokens.iter().enumerate() {
        if NAMES.contains(&token.as_str()) && is_a_use(tokens, i) {
            found.push(token.clone());
        }
        if token == "std" && tokens.get(i + 1).is_some_and(|next| next == "::") {
            let modules = first_names(&tokens[i + 2..]);
            found.extend(
                modules
                    .into_iter()
                    .filter(|m| MODULES.contains(&m.as_str()))
                    .map(|m| format!("std::{m}")),
            );
        }
    }
    found
}

/// `log`, `print` and the like are common words: they count in a path or as a macro only.
fn is_a_use(tokens: &[String], i: usize) -> bool {
    let common = tokens[i].starts_with(char::is_lowercase);
    let next = tokens.get(i + 1).map_or("", String::as_str);
    let after_use = i > 0 && matches!(tokens[i - 1].as_str(), "use" | "crate" | "extern");
    !common || after_use || matches!(next, "::" | "!")
}

/// The names right after `std::`: one, or those of a group `{io, net::TcpStream, …}`.
fn first_names(tokens: &[String]) -> Vec<String> {
    let Some(first) = tokens.first() else {
        return Vec::new();
    };
    if first != "{" {
        return vec![first.clone()];
    }
    let (mut depth, mut names) = (0, Vec::new());
    for (i, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
        let begins = i > 0 && matches!(tokens[i - 1].as_str(), "{" | ",");
        if depth == 1 && begins {
            names.push(token.clone());
        }
    }
    names
}

fn has_to_be_pure(path: &str) -> bool {
    PURE.iter().any(|pure| path.starts_with(pure))
}

/// Every file that the pure ones reach, with the one that it was reached from.
fn reached(tree: &Tree, imports: &BTreeSet<Import>) -> BTreeMap<String, String> {
    let pure = tree.files().filter(|file| has_to_be_pure(&file.path));
    let mut open: Vec<String> = pure.map(|file| file.path.clone()).collect();
    let mut reached: BTreeMap<_, _> = open
        .iter()
        .map(|path| (path.clone(), path.clone()))
        .collect();
    while let Some(from) = open.pop() {
        for import in imports.iter().filter(|import| import.from == from) {
            let known = TODAY.contains(&(&import.from, &import.to));
            if !known && !reached.contains_key(&import.to) {
                reached.insert(import.to.clone(), from.clone());
                open.push(import.to.clone());
            }
        }
    }
    reached
}

#[test]
fn protocol_and_codecs_reach_no_io() {
    let tree = Tree::of_the_library();
    let imports = tree.imports();
    let reached = reached(&tree, &imports);
    assert!(reached.len() >= 20, "only {} files", reached.len());
    let mut impure = Vec::new();
    for file in tree.files() {
        let Some(from) = reached.get(&file.path) else {
            continue;
        };
        let found: BTreeSet<String> = impurities(&file.tokens).into_iter().collect();
        if !found.is_empty() {
            impure.push(format!("{} (used by {from}) names {found:?}", file.path));
        }
    }
    assert!(impure.is_empty(), "{impure:#?}");
    for (from, to) in TODAY {
        let import = Import {
            from: (*from).to_owned(),
            to: (*to).to_owned(),
        };
        assert!(
            imports.contains(&import),
            "take {from} -> {to} off the list: it is gone"
        );
    }
}

/// What a source names that does I/O or asks what time it is.
fn asks(tokens: &[String]) -> Vec<String> {
    let given = ["Instant", "std::time"];
    let mut found = impurities(tokens);
    found.retain(|name| !given.contains(&name.as_str()));
    let clocks = tokens
        .windows(3)
        .filter(|names| names[1..] == ["::", "now"]);
    found.extend(clocks.map(|names| names.concat()));
    let words = ["elapsed", "Transport", "transport"];
    let named = tokens
        .iter()
        .filter(|token| words.contains(&token.as_str()));
    found.extend(named.cloned());
    found
}

#[test]
fn a_conversation_is_given_bytes_and_the_time() {
    let tree = Tree::of_the_library();
    let given = |path: &&str| tree.files().find(|file| file.path == **path);
    let files: Vec<_> = GIVEN_THE_TIME.iter().filter_map(given).collect();
    assert_eq!(files.len(), GIVEN_THE_TIME.len());
    for file in files {
        assert_eq!(asks(&file.tokens), Vec::<String>::new(), "{}", file.path);
    }
    for bad in [
        "let now = Instant::now();",
        "self.epoch.elapsed()",
        "use crate::transport::Transport;",
        "use std::io;",
    ] {
        assert!(!asks(&tokens(bad)).is_empty(), "{bad}");
    }
}

#[test]
fn the_detector_detects() {
    for bad in [
        "use std::io;",
        "use std::io::{Read, Write};",
        "let x = std :: net::TcpStream::connect(a);",
        "use std::{fmt, io};",
        "use std::{\n    collections::HashMap,\n    sync::Arc,\n};",
        "use std::{fmt::{self, Write}, thread};",
        "use ::std::time::Duration;",
        "fn f(now: Instant) {}",
        "fn f(now: SystemTime) {}",
        "use crossbeam_channel::Sender;",
        "log::warn!(\"x\");",
        "use log::warn;",
        "println!(\"x\");",
        "fn f(s: &TcpStream) {}",
    ] {
        assert!(!impurities(&tokens(bad)).is_empty(), "{bad}");
    }
    for good in [
        "use core::time::Duration;",
        "use core::net::{IpAddr, SocketAddr};",
        "use std::collections::VecDeque;",
        "use std::{fmt, collections::HashMap};",
        "//! No std::io, no Instant.",
        "let x = 1; // not std::thread",
        "fn log(print: u8) -> u8 { print }",
    ] {
        assert_eq!(impurities(&tokens(good)), Vec::<String>::new(), "{good}");
    }
}
