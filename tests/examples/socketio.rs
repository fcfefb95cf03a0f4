//! The `socketio` example as a user runs it, with a file that stands for npm's client.

use std::process::Stdio;

use crate::support::example::{Example, Process, command};
use crate::support::{Client, dial, exchange, upgrade, wait_until};

/// Any file; the example serves what it is given.
const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/README.md");

fn start(arguments: &[&str]) -> Example {
    let mut command = command("socketio");
    command
        .arg("127.0.0.1:0")
        .args(arguments)
        .env("RUST_LOG", "info");
    Example::serving(command.stdin(Stdio::null()))
}

fn get(example: &Example, path: &str) -> String {
    let addr = example.addr;
    let head = format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n");
    exchange(addr, head)
}

/// A client by WebSocket, and what the server answers to its CONNECT.
fn enter(example: &Example, auth: &str) -> (Client, String) {
    let path = "/socket.io/?EIO=4&transport=websocket";
    let host = example.addr.to_string();
    let mut client = Client::open(dial(example.addr), &upgrade(&host, path, ""));
    assert!(client.read_message().text().starts_with("0{\"sid\":"));
    client.send_text(&format!("40{auth}"));
    let answer = client.read_message().text().to_owned();
    (client, answer)
}

fn read_until(client: &mut Client, text: &str) {
    wait_until(text, || client.read_message().text() == text);
}

#[test]
fn people_of_one_room_hear_each_other() {
    let example = start(&[]);
    let (mut ada, answer) = enter(&example, r#"{"name":"ada","room":"lobby"}"#);
    assert!(answer.starts_with("40{\"sid\":"), "{answer}");
    let (mut bob, _) = enter(&example, r#"{"name":"bob","room":"lobby"}"#);
    let (mut eve, _) = enter(&example, r#"{"name":"eve","room":"other"}"#);
    read_until(&mut eve, r#"42["here",{"names":["eve"],"room":"other"}]"#);
    read_until(&mut ada, r#"42["joined","bob"]"#);
    ada.send_text(r#"427["say","hello"]"#);
    // One heard it.
    read_until(&mut ada, "437[1]");
    read_until(&mut bob, r#"42["said","ada","hello"]"#);
    // A picture is a header and what it announces.
    bob.send_text(r#"451-["picture",{"_placeholder":true,"num":0}]"#);
    bob.send_binary(&[1, 2, 3]);
    read_until(
        &mut ada,
        r#"451-["picture","bob",{"_placeholder":true,"num":0}]"#,
    );
    assert_eq!(ada.read_message().payload, [1, 2, 3]);
    eve.send_text(r#"428["move","lobby"]"#);
    read_until(&mut eve, "438[true]");
    read_until(&mut ada, r#"42["joined","eve"]"#);
    let (status, log) = example.terminate();
    assert!(status.success(), "{status}: {log}");
}

#[test]
fn the_log_names_a_client_of_another_version_and_no_session() {
    let example = start(&[]);
    let version = get(&example, "/socket.io/?EIO=3&transport=polling");
    assert!(
        version.contains("Unsupported protocol version"),
        "{version}"
    );
    example.logs("socket.io-client 3 or 4");
    let opened = get(&example, "/socket.io/?EIO=4&transport=polling");
    let (_, rest) = opened.split_once("\"sid\":\"").unwrap();
    let sid = rest[..20].to_owned();
    for query in ["&sid=", "&forged&sid="] {
        let (addr, octets) = (example.addr, "Content-Type: application/octet-stream");
        let path = format!("/socket.io/?EIO=4&transport=polling{query}{sid}");
        let body = format!(
            "POST {path} HTTP/1.1\r\nHost: {addr}\r\n{octets}\r\nConnection: close\r\nContent-Length: 2\r\n\r\n4a"
        );
        assert!(exchange(addr, body).starts_with("HTTP/1.1 400 "));
    }
    let (status, log) = example.terminate();
    assert!(status.success() && !log.contains(&sid), "{log}");
}

#[test]
fn who_has_no_name_is_told_so() {
    let example = start(&[]);
    for auth in ["", "{}", r#"{"name":" ","room":"lobby"}"#, r#"{"name":7}"#] {
        let (_client, answer) = enter(&example, auth);
        assert_eq!(answer, r#"44{"message":"say who you are"}"#, "{auth}");
    }
}

#[test]
fn the_page_has_the_client_that_the_program_was_given() {
    let with = start(&[CLIENT]);
    assert!(get(&with, "/").contains("/socket.io/socket.io.js"));
    let script = get(&with, "/socket.io/socket.io.js");
    assert!(script.contains("text/javascript"), "{script}");
    assert!(script.contains("what each folder judges"), "{script}");
    // The page says how to get it.
    let without = start(&[]);
    assert!(get(&without, "/socket.io/socket.io.js").starts_with("HTTP/1.1 404 "));
    assert!(get(&without, "/").contains("npm pack socket.io-client"));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let mut command = command("socketio");
    let mut process = Process::start(command.args(["127.0.0.1:0", "/nonexistent.js"]));
    assert_eq!(process.wait().code(), Some(1));
    let said = process.stderr().join("\n");
    assert!(said.contains("/nonexistent.js: No such file"), "{said}");
}
