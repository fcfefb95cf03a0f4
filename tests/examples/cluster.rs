//! Servers of a cluster as two programs each.

use std::net::TcpListener;
use std::process::{Command, Stdio};

use crate::support::example::{Example, command};
use crate::support::{Client, own_loopback, wait_until};

/// A port that is free.
fn free() -> String {
    let listener = TcpListener::bind(own_loopback()).unwrap();
    listener.local_addr().unwrap().to_string()
}

fn start(name: &str, second: &str) -> Example {
    let mut command: Command = command(name);
    command
        .args(["127.0.0.1:0", second])
        .env("RUST_LOG", "info");
    Example::serving(command.stdin(Stdio::null()))
}

fn read_until(client: &mut Client, text: &str) {
    wait_until(text, || client.read_message().text() == text);
}

#[test]
fn a_backplane_of_ones_own_carries_to_the_other_program() {
    let carrier = free();
    let (one, two) = (start("backplane", &carrier), start("backplane", &carrier));
    one.logs("NodeJoined");
    two.logs("NodeJoined");
    let (mut first, mut second) = (Client::connect(one.addr), Client::connect(two.addr));
    // Its own message tells a client that it is open.
    for client in [&mut first, &mut second] {
        client.send_text("open");
        read_until(client, "open");
    }
    first.send_text("to both");
    read_until(&mut first, "to both");
    read_until(&mut second, "to both");
    second.send_text("and back");
    read_until(&mut first, "and back");
    let (status, log) = two.terminate();
    assert!(status.success(), "{log}");
    one.logs("NodeLeft");
}

#[test]
fn the_chat_serves_its_clients_without_a_redis_and_says_so() {
    let example = start("cluster", &format!("redis://{}/", free()));
    let mut client = Client::connect(example.addr);
    let own = format!("localhost:{}", example.addr.port());
    assert_eq!(client.read_message().text(), format!("you {own}"));
    client.send_text("hello");
    loop {
        let text = client.read_message().text().to_owned();
        if text == format!("say - {own} hello") {
            break;
        }
        assert!(
            text.starts_with("servers") || text.contains("is it running"),
            "{text}"
        );
    }
    example.logs("is it running");
    let (status, log) = example.terminate();
    assert!(status.success(), "{log}");
}
