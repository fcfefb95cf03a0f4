//! The thread of a bridge that publishes: what waits, in order, and signs of life; again for as long as it fails.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::message::alive;
use super::queue::{BridgeQueue, BridgeThread};
use crate::cluster::news::BackplaneDirection;
use crate::panics;
use crate::{BackplaneError, Publisher};

/// Between two signs of life.
pub(crate) const BEAT: Duration = Duration::from_secs(2);
/// How long it rests behind a failure, the next one twice as long, up to the second of them.
pub(crate) const RESTS: (Duration, Duration) =
    (Duration::from_millis(50), Duration::from_millis(250));

pub(crate) fn publish_all(thread: &BridgeThread, mut publisher: impl Publisher) {
    let publish = || publish_what_waits(thread.queue(), &mut publisher);
    thread.work(BackplaneDirection::Out, publish);
}

fn publish_what_waits(queue: &BridgeQueue, publisher: &mut impl Publisher) {
    // A try before this one may have broken off.
    queue.not_published();
    let mut beat_at = Instant::now();
    let mut not_before = beat_at;
    let mut rest = RESTS.0;
    let mut is_up = false;
    while let Some(turn) = queue.next_turn(beat_at, not_before, is_up) {
        let mut frames = turn.messages.clone();
        frames.extend(turn.beat.map(|beat| Arc::new(alive(&queue.host, beat))));
        let frames: Vec<&[u8]> = frames.iter().map(|frame| frame.as_slice()).collect();
        let published = panics::catch(|| publisher.publish(&frames));
        match published.unwrap_or_else(|_| Err(BackplaneError::new("publishing panicked"))) {
            Ok(()) => {
                queue.published(&turn);
                queue.set_link(BackplaneDirection::Out, Ok(()));
                (is_up, rest) = (true, RESTS.0);
                if turn.beat.is_some() {
                    beat_at = Instant::now() + BEAT;
                }
            }
            Err(error) => {
                queue.not_published();
                queue.set_link(BackplaneDirection::Out, Err(&error.to_string()));
                is_up = false;
                not_before = Instant::now() + rest;
                beat_at = not_before;
                rest = (rest * 2).min(RESTS.1);
            }
        }
    }
}
