//! What the application hears of a thread that panics.

use std::time::Duration;

use super::super::backlog::BacklogBounds;
use super::super::event::ClusterEvent;
use super::super::history::HistoryBounds;
use super::super::id::NodeId;
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
        running.work(way, || {
            tries += 1;
            assert!(tries > 1, "as a bug does");
            assert!(!relay.port().is_attached());
            let told: Vec<_> = std::iter::from_fn(|| relay.port().take_event()).collect();
            let is_told = |event: &ClusterEvent| match event {
                ClusterEvent::Detached { reason } => reason.contains("as a bug does"),
                _ => false,
            };
            assert!(told.iter().any(is_told), "{told:?}");
        });
        assert_eq!(tries, 2);
        relay.set_link(BackplaneDirection::Out, Ok(()));
        relay.set_link(BackplaneDirection::In, Ok(()));
    }
    assert!(relay.port().is_attached());
}
