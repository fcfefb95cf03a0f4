//! A chat: sends each message to everyone, the sender too. The page and its WebSocket share a port.
//!
//! `cargo run --release --example broadcast -- 127.0.0.1:9001`, then open http://127.0.0.1:9001/ twice.

mod support;

use std::process::ExitCode;

use wshub::{Event, Response, Server};

const PAGE: &str = include_str!("broadcast.html");

fn main() -> ExitCode {
    support::run(|addr| {
        let server = Server::builder()
            .http(|request| match request.path() {
                "/" => Response::html(PAGE),
                // For whoever watches over it: `curl http://127.0.0.1:9001/stats`.
                "/stats" => Response::text(format!("{:#?}\n", request.server().stats())),
                _ => Response::not_found(),
            })
            .bind(addr)?;
        support::announce(server.local_addr()?, server.handle())?;
        support::say(&format!(
            "open http://localhost:{}/ in two browser windows",
            server.local_addr()?.port()
        ));
        // Ends when the server has shut down.
        for event in server.events() {
            match event {
                Event::Open(connection) => log::info!("{} joined", connection.id()),
                Event::Message(_, message) => drop(server.broadcast(message)),
                Event::Close(connection, close) => {
                    log::info!("{} left: {}", connection.id(), close.code)
                }
                Event::Error(connection, error) => log::warn!("{}: {error}", connection.id()),
                _ => {}
            }
        }
        Ok(())
    })
}
