//! What its two servers share: the start.

use ws::{Builder, Factory, Result, Settings};

/// Serves for ever; buffers start small, as everywhere.
pub fn serve<F: Factory>(factory: F) -> Result<()> {
    let settings = Settings {
        max_connections: 20_000,
        tcp_nodelay: true,
        in_buffer_capacity: 2048,
        out_buffer_capacity: 2048,
        ..Settings::default()
    };
    let socket = Builder::new()
        .with_settings(settings)
        .build(factory)?
        .bind("127.0.0.1:0")?;
    println!("listening on ws://{}/", socket.local_addr()?);
    socket.run().map(drop)
}
