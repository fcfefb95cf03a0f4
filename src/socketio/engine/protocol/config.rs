//! The times and bounds of a session, and how a client is told of them.

use core::time::Duration;

use super::handshake::Carrier;

#[derive(Clone, Copy, Debug)]
pub struct EngineConfig {
    pub ping_interval: Duration,
    pub ping_timeout: Duration,
    pub upgrade_timeout: Duration,
    pub max_payload: usize,
    pub max_queued_packets: usize,
    pub max_queued_bytes: usize,
}

impl EngineConfig {
    /// The packet that a session begins with.
    pub fn open_packet(&self, sid: &str, carrier: Carrier) -> String {
        let upgrades = match carrier {
            Carrier::Polling => r#"["websocket"]"#,
            Carrier::WebSocket => "[]",
        };
        let (interval, timeout) = (self.ping_interval, self.ping_timeout);
        format!(
            r#"0{{"sid":"{sid}","upgrades":{upgrades},"pingInterval":{},"pingTimeout":{},"maxPayload":{}}}"#,
            interval.as_millis(),
            timeout.as_millis(),
            self.max_payload,
        )
    }
}
