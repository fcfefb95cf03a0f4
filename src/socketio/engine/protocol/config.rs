//! The times and bounds of a session, and how a client is told of them.

use core::time::Duration;

use super::handshake::Carrier;
use super::queue::QueueBounds;

#[derive(Clone, Copy, Debug)]
pub struct EngineConfig {
    pub ping_interval: Duration,
    pub ping_timeout: Duration,
    pub upgrade_timeout: Duration,
    pub max_payload: usize,
    pub queue: QueueBounds,
}

impl EngineConfig {
    /// For tests: bounds that a few messages reach.
    #[cfg(any(test, fuzzing))]
    pub const SMALL: EngineConfig = EngineConfig {
        ping_interval: Duration::from_secs(25),
        ping_timeout: Duration::from_secs(20),
        upgrade_timeout: Duration::from_secs(10),
        max_payload: 100,
        queue: QueueBounds {
            max_packets: 5,
            max_bytes: 50,
            overflow: crate::Overflow::DropNewest,
        },
    };

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
