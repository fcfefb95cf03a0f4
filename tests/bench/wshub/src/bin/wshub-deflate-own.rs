//! Echo, compressed, on each connection's own thread.

use wshub::Compression;
use wshub_servers::{builder, serve_own};

fn main() -> std::io::Result<()> {
    serve_own(builder()?.compression(Compression::default()))
}
