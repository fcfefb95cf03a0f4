//! What the application hears of a thread that panics.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::super::backlog::BacklogBounds;
use super::super::event::ClusterEvent;
use super::super::history::HistoryBounds;
use super::super::id::NodeId;
use super::super::port::{Port, PortPeers, PortSettings, PublishTurn};
use super::super::relay::{LocalDelivery, Relay, RelaySettings};
use super::*;
use crate::Server;

#[test]
fn a_thread_that_panics_detaches_the_node_and_goes_on() {
    let server = Server::builder().without_listener().unwrap();
    let settings = RelaySettings {
        delivery: LocalDelivery::AtOnce,
        heartbeat: Duration::from_secs(2),
        max_message: 1000,
        bounds: BacklogBounds {
            messages: 10,
            bytes: 1000,
            age: Duration::from_secs(60),
        },
        history: HistoryBounds { posts: 0, bytes: 0 },
    };
    let relay = Arc::new(Relay::new(NodeId::new(1), server.handle(), settings));
    for way in [BackplaneDirection::Out, BackplaneDirection::In] {
        relay.set_link(way, Ok(()));
        let running = Running::new(&relay);
        let mut tries = 0;
        let mut found = None;
        running.work(way, || {
            tries += 1;
            assert!(tries > 1, "as a bug does");
            let told: Vec<_> = std::iter::from_fn(|| relay.port().take_event()).collect();
            found = Some((relay.port().is_attached(), told));
        });
        assert_eq!(tries, 2);
        let (is_attached, told) = found.unwrap();
        assert!(!is_attached);
        let is_told = |event: &ClusterEvent| match event {
            ClusterEvent::Detached { reason } => reason.contains("as a bug does"),
            _ => false,
        };
        assert!(told.iter().any(is_told), "{told:?}");
        relay.set_link(BackplaneDirection::Out, Ok(()));
        relay.set_link(BackplaneDirection::In, Ok(()));
    }
    assert!(relay.port().is_attached());
}

/// Panics once, when a message has gone out.
struct Breaking {
    port: Port,
    breaks: AtomicBool,
}

impl PortUser for Breaking {
    fn port(&self) -> &Port {
        &self.port
    }

    fn signs(&self, turn: &PublishTurn) -> Vec<FrameBytes> {
        let sign = turn.beat.map(|_| Arc::new(b"sign".to_vec()));
        sign.into_iter().collect()
    }

    fn ended(&self, turn: Option<&PublishTurn>, _: bool) {
        let has_messages = turn.is_some_and(|turn| !turn.batch.frames.is_empty());
        assert!(
            !has_messages || !self.breaks.swap(false, Relaxed),
            "as a bug does"
        );
    }

    fn lost(&self, _: u64) {}

    fn wake(&self) {}

    fn log_link(&self, _: Result<(), &str>) {}
}

/// Has its user leave after four turns.
struct Recording {
    user: Arc<Breaking>,
    published: Vec<Vec<u8>>,
}

impl Publisher for Recording {
    fn publish(&mut self, frames: &[&[u8]]) -> Result<(), BackplaneError> {
        self.published.push(frames.concat());
        if self.published.len() == 4 {
            self.user.port.leave(Duration::ZERO, |_| {});
        }
        Ok(())
    }
}

#[test]
fn after_a_panic_in_a_turn_a_sign_of_life_goes_before_the_messages() {
    let user = Arc::new(Breaking {
        port: Port::new(PortSettings {
            peers: PortPeers::Python,
            bounds: BacklogBounds {
                messages: 10,
                bytes: 1000,
                age: Duration::from_secs(60),
            },
            beat: Duration::from_secs(60),
            deaf: Duration::from_secs(60),
        }),
        breaks: AtomicBool::new(true),
    });
    user.port.push(7, |_| Arc::new(b"message".to_vec()));
    let mut publisher = Recording {
        user: user.clone(),
        published: Vec::new(),
    };
    Running::new(&user).publish(&mut publisher);
    assert_eq!(
        publisher.published,
        [&b"sign"[..], b"message", b"sign", b"message"]
    );
}
