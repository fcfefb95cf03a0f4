//! A chat: sends each message to everyone, the sender too. The page and its WebSocket share a port.
//!
//! `cargo run --release --example broadcast -- 127.0.0.1:9001`, then open http://127.0.0.1:9001/ twice.

mod support;

use std::process::ExitCode;

use wshub::{Event, Group, Response, Server};

const PAGE: &str = concat!(
    include_str!("support/head.html"),
    include_str!("broadcast.html")
);
/// What pages speak: JSON, and they are told how many are here. A program without it gets what is said, and nothing else.
const SUBPROTOCOL: &str = "chat";

fn main() -> ExitCode {
    support::run(|addr| {
        let server = Server::builder()
            .subprotocols([SUBPROTOCOL])
            .http(|request| match request.path() {
                "/" => Response::html(PAGE),
                // To watch the server: `curl http://127.0.0.1:9001/stats`.
                "/stats" => Response::text(format!("{:#?}\n", request.server().stats())),
                _ => Response::not_found(),
            })
            .bind(addr)?;
        support::announce(server.local_addr()?, server.handle())?;
        support::say(&format!(
            "open http://localhost:{}/ in two browser windows",
            server.local_addr()?.port()
        ));
        chat(&server);
        Ok(())
    })
}

/// Until the server has shut down.
fn chat(server: &Server) {
    let (mut pages, mut here) = (Group::new(), 0);
    for event in server.events() {
        match event {
            Event::Open(connection) => {
                log::info!("{} joined", connection.id());
                if connection.protocol() == Some(SUBPROTOCOL) {
                    pages.join(&connection);
                }
                here += 1;
                tell(&mut pages, here);
            }
            Event::Message(_, message) => drop(server.broadcast(message)),
            Event::Close(connection, close) => {
                log::info!("{} left: {}", connection.id(), close.code);
                here -= 1;
                tell(&mut pages, here);
            }
            Event::Error(connection, error) => log::warn!("{}: {error}", connection.id()),
            _ => {}
        }
    }
}

fn tell(pages: &mut Group, here: usize) {
    pages.broadcast(format!(r#"{{"here":{here}}}"#));
}
