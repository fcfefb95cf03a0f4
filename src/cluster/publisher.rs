//! The thread of a node that publishes: what waits, in order, and heartbeats; again for as long as it fails.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::backplane::{BackplaneError, Publisher};
use super::frame::{Body, FrameNumber, encode};
use super::news::BackplaneDirection;
use super::relay::{FrameBytes, PublisherStep, Relay, Running};
use super::report::{RoomCounts, RoomReport};
use crate::panics;

/// How long it rests behind a failure, the next one twice as long, up to the second of them.
pub(crate) const RESTS: (Duration, Duration) =
    (Duration::from_millis(50), Duration::from_millis(250));

pub(crate) fn publish_all(running: &Running, mut publisher: Box<dyn Publisher>) {
    let publish = || publish_what_waits(running.relay(), &mut *publisher);
    running.work(BackplaneDirection::Out, publish);
}

fn publish_what_waits(relay: &Relay, publisher: &mut dyn Publisher) {
    // A try before this one may have broken off.
    relay.not_published();
    relay.rooms.reported(false);
    let mut beat_at = Instant::now();
    let mut not_before = beat_at;
    let mut rest = RESTS.0;
    let mut reports = 0;
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
            frames.push(alive(relay, batch.last, reports + 1));
        }
        if is_last {
            let head = relay.head(FrameNumber::Behind(batch.last));
            frames.push(Arc::new(encode(&head, &Body::Bye)));
        }
        if let Err(error) = publish(publisher, &frames) {
            relay.not_published();
            if with_beat {
                relay.rooms.reported(false);
            }
            relay.set_link(BackplaneDirection::Out, Err(&error.to_string()));
            not_before = Instant::now() + rest;
            rest = (rest * 2).min(RESTS.1);
            continue;
        }
        relay.published(beat);
        relay.set_link(BackplaneDirection::Out, Ok(()));
        rest = RESTS.0;
        if with_beat {
            relay.rooms.reported(true);
            reports += 1;
            // Twice as often as others expect it.
            beat_at = now + relay.settings.heartbeat / 2;
        }
        if is_last {
            return;
        }
    }
}

fn alive(relay: &Relay, last: u64, number: u64) -> FrameBytes {
    let (counts, is_whole, lacks) = relay.rooms.report();
    let report = RoomCounts::read(&counts).map(|counts| RoomReport {
        number,
        is_whole,
        lacks,
        counts,
    });
    let body = Body::Alive {
        connections: relay.server.stats().connections as u64,
        rooms: report,
    };
    Arc::new(encode(&relay.head(FrameNumber::Behind(last)), &body))
}

/// The publisher may be the user's code: a panic is an error like others.
fn publish(publisher: &mut dyn Publisher, frames: &[FrameBytes]) -> Result<(), BackplaneError> {
    let frames: Vec<&[u8]> = frames.iter().map(|frame| frame.as_slice()).collect();
    let publish = || publisher.publish(&frames);
    panics::catch(publish)
        .unwrap_or_else(|_| Err(BackplaneError::new("Publisher::publish panicked")))
}
