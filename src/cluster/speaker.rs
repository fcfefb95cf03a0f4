//! The thread of a node that publishes: what waits, in order, and heartbeats; again for as long as it fails.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::backplane::{BackplaneError, Publisher};
use super::frame::{Body, FrameNumber, encode};
use super::news::BackplaneDirection;
use super::relay::{FrameBytes, PublisherStep, Relay, Running};
use crate::panics;

/// How long it rests behind a failure, the next one twice as long, up to the second of them.
pub(super) const RESTS: (Duration, Duration) =
    (Duration::from_millis(50), Duration::from_millis(250));

pub(super) fn speak(running: &Running, mut publisher: Box<dyn Publisher>) {
    let relay = running.relay();
    let mut beat_at = Instant::now();
    let mut not_before = beat_at;
    let mut rest = RESTS.0;
    while let PublisherStep::Publish {
        batch,
        with_beat,
        is_last,
    } = relay.next_turn(beat_at, not_before)
    {
        let now = Instant::now();
        let beat = with_beat.then(|| relay.age());
        let mut frames = batch.frames;
        if with_beat {
            frames.push(alive(relay, batch.last));
        }
        if is_last {
            let head = relay.head(FrameNumber::Behind(batch.last));
            frames.push(Arc::new(encode(&head, &Body::Bye)));
        }
        if let Err(error) = publish(&mut *publisher, &frames) {
            relay.not_published();
            relay.set_link(BackplaneDirection::Out, Err(&error.to_string()));
            not_before = Instant::now() + rest;
            rest = (rest * 2).min(RESTS.1);
            continue;
        }
        relay.published(beat);
        relay.set_link(BackplaneDirection::Out, Ok(()));
        rest = RESTS.0;
        if with_beat {
            // Twice as often as others expect it.
            beat_at = now + relay.settings.heartbeat / 2;
        }
        if is_last {
            return;
        }
    }
}

fn alive(relay: &Relay, last: u64) -> FrameBytes {
    let connections = relay.server.stats().connections as u64;
    let head = relay.head(FrameNumber::Behind(last));
    Arc::new(encode(&head, &Body::Alive { connections }))
}

/// The publisher may be the user's code: a panic is an error like others.
fn publish(publisher: &mut dyn Publisher, frames: &[FrameBytes]) -> Result<(), BackplaneError> {
    let frames: Vec<&[u8]> = frames.iter().map(|frame| frame.as_slice()).collect();
    let publish = || publisher.publish(&frames);
    panics::catch(publish)
        .unwrap_or_else(|_| Err(BackplaneError::new("Publisher::publish panicked")))
}
