//! What the programs for the judges have in common.

use std::error::Error;

use wshub::{Compression, Handler, Server, ServerBuilder};

/// Serves pages of any origin until SIGTERM or SIGINT comes; prints `listening on ws://ADDR/` when it accepts.
pub fn serve(
    builder: ServerBuilder,
    addr: &str,
    handler: &mut impl Handler,
) -> Result<(), Box<dyn Error>> {
    listen_at(addr, builder)?.run(handler)?;
    Ok(())
}

/// A server for pages of any origin, which SIGTERM and SIGINT end; prints `listening on ws://ADDR/`.
pub fn listen_at(addr: &str, builder: ServerBuilder) -> Result<Server, Box<dyn Error>> {
    let server = builder.origins(["*"]).bind(addr)?;
    let handle = server.handle();
    ctrlc::set_handler(move || handle.shutdown())?;
    println!("listening on ws://{}/", server.local_addr()?);
    Ok(server)
}

/// Every message that shrinks is compressed: `takeover` with context takeover both ways, anything else without.
pub fn compression(kind: &str) -> Compression {
    let takeover = kind == "takeover";
    Compression {
        server_context_takeover: takeover,
        client_context_takeover: takeover,
        threshold: 0,
        ..Compression::default()
    }
}
