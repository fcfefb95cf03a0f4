//! Echo on each connection's own thread.

use wshub_servers::{builder, serve_own};

fn main() -> std::io::Result<()> {
    serve_own(builder()?)
}
