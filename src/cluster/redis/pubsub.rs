//! The end that listens to a channel: Redis hands on what is published at that moment, and keeps nothing.

use std::time::Duration;

use redis::{Msg, RedisResult, Value, cmd};

use super::error::explain;
use super::place::RedisPlace;
use crate::cluster::Incoming;
use crate::cluster::backplane::{BackplaneError, Subscriber};

/// Bytes that a message may have beyond what the listener allows: it is to see that one is too long. By default Redis
/// itself cuts off a subscriber that is half as much behind.
const BEYOND: usize = 64 << 20;

pub(crate) struct PubSubSubscriber {
    place: RedisPlace,
    timeout: Duration,
    channel: String,
}

/// What takes what comes over a channel.
pub(crate) trait ChannelListener {
    /// Bytes that a message has at most.
    fn max_message(&self) -> usize;
    /// From now on everything comes.
    fn attached(&mut self);
    /// How long to wait for the next message at most, before this is called again; `None` at the end.
    fn patience(&mut self) -> Option<Duration>;
    fn take(&mut self, message: &[u8]);
}

impl ChannelListener for Incoming<'_> {
    fn max_message(&self) -> usize {
        self.max_message()
    }

    fn attached(&mut self) {
        self.attached();
    }

    fn patience(&mut self) -> Option<Duration> {
        self.patience()
    }

    fn take(&mut self, message: &[u8]) {
        self.take(message);
    }
}

impl PubSubSubscriber {
    pub fn new(place: RedisPlace, timeout: Duration, channel: String) -> Self {
        PubSubSubscriber {
            place,
            timeout,
            channel,
        }
    }

    /// Connects, and hands on what comes until the listener has enough.
    pub fn hear(&mut self, listener: &mut impl ChannelListener) -> Result<(), BackplaneError> {
        self.subscribe(listener).map_err(|error| explain(&error))
    }

    fn subscribe(&mut self, listener: &mut impl ChannelListener) -> RedisResult<()> {
        let longest = listener.max_message().saturating_add(BEYOND);
        let mut connection = self.place.connect(self.timeout, longest)?;
        connection.query::<Value>(cmd("SUBSCRIBE").arg(&self.channel), self.timeout)?;
        listener.attached();
        // The listener's own signs of life tell it whether it still hears.
        while let Some(patience) = listener.patience() {
            let came = connection.unasked(patience, self.timeout)?;
            if let Some(message) = came.and_then(Msg::from_owned_value) {
                listener.take(message.get_payload_bytes());
            }
        }
        Ok(())
    }
}

impl Subscriber for PubSubSubscriber {
    fn receive(&mut self, incoming: &mut Incoming<'_>) -> Result<(), BackplaneError> {
        self.hear(incoming)
    }
}
