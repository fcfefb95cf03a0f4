//! The protocol and the handshake's parsers stay plain values: their source names no I/O, thread, lock, clock,
//! channel or log. Bytes and time come in as arguments (`core::time::Duration`), addresses as `core::net` types.

use std::fs;
use std::path::{Path, PathBuf};

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

/// Modules of `std` that may not occur, nor those of the same name elsewhere under `std`.
const MODULES: &[&str] = &[
    "io", "net", "thread", "sync", "time", "fs", "process", "env", "os",
];

/// What a source names that it should not.
fn impurities(source: &str) -> Vec<String> {
    let tokens = tokens(&without_tests(source));
    let mut found = Vec::new();
    for (i, token) in tokens.iter().enumerate() {
        if NAMES.contains(&token.as_str()) && is_a_use(&tokens, i) {
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

/// The names right behind `std::`: one, or those of a group `{io, net::TcpStream, …}`.
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

/// Identifiers, `::` and single other characters; no comments and no white space.
fn tokens(source: &str) -> Vec<String> {
    let code: String = source
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n");
    let mut tokens: Vec<String> = Vec::new();
    let mut in_word = false;
    for c in code.chars() {
        let word = c.is_alphanumeric() || c == '_';
        match tokens.last_mut() {
            Some(last) if word && in_word => last.push(c),
            Some(last) if c == ':' && last == ":" => last.push(c),
            _ if c.is_whitespace() => {}
            _ => tokens.push(c.to_string()),
        }
        in_word = word;
    }
    tokens
}

/// Unit tests at the end of a file may do what they like.
fn without_tests(source: &str) -> String {
    source
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default()
        .to_string()
}

fn sources() -> Vec<PathBuf> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files: Vec<PathBuf> = ["request", "response", "negotiate", "client", "answer"]
        .iter()
        .map(|name| src.join(format!("handshake/{name}.rs")))
        .collect();
    let protocol = fs::read_dir(src.join("protocol")).expect("src/protocol");
    files.extend(
        protocol
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.is_file()),
    );
    files.retain(|path| !path.ends_with("tests.rs"));
    files
}

#[test]
fn protocol_and_handshake_are_pure() {
    let files = sources();
    assert!(files.len() >= 12, "only {} files were found", files.len());
    for path in files {
        let source =
            fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let found = impurities(&source);
        assert!(found.is_empty(), "{} names {found:?}", path.display());
        let in_protocol = path
            .parent()
            .is_some_and(|folder| folder.ends_with("protocol"));
        let outward = in_protocol && tokens(&source).iter().any(|token| token == "crate");
        assert!(
            !outward,
            "{} names something outside its folder",
            path.display()
        );
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
        assert!(!impurities(bad).is_empty(), "{bad}");
    }
    for good in [
        "use core::time::Duration;",
        "use core::net::{IpAddr, SocketAddr};",
        "use std::collections::VecDeque;",
        "use std::{fmt, collections::HashMap};",
        "//! No std::io, no Instant.",
        "let x = 1; // not std::thread",
        "fn log(print: u8) -> u8 { print }",
        "pub fn f() {}\n#[cfg(test)]\nmod tests {\n    use std::io;\n}",
    ] {
        assert_eq!(impurities(good), Vec::<String>::new(), "{good}");
    }
}
