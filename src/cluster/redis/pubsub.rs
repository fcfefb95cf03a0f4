//! Over Pub/Sub: Redis hands on what is published to the nodes that listen at that moment, and keeps nothing.

use std::time::Duration;

use redis::{RedisResult, cmd};

use super::error::explain;
use super::link::{RedisLink, is_interrupted};
use crate::cluster::Incoming;
use crate::cluster::backplane::{BackplaneError, Publisher, Subscriber};

pub(crate) struct PubSubPublisher {
    link: RedisLink,
    channel: String,
}

impl PubSubPublisher {
    pub fn new(link: RedisLink, channel: String) -> Self {
        PubSubPublisher { link, channel }
    }
}

impl Publisher for PubSubPublisher {
    fn publish(&mut self, frames: &[&[u8]]) -> Result<(), BackplaneError> {
        let publish = |frame: &&[u8]| {
            let mut publish = cmd("PUBLISH");
            publish.arg(&self.channel).arg(*frame);
            publish
        };
        let commands: Vec<_> = frames.iter().map(publish).collect();
        self.link.run(&commands).map_err(|error| explain(&error))
    }
}

pub(crate) struct PubSubSubscriber {
    link: RedisLink,
    channel: String,
}

/// What takes what comes over a channel.
pub(crate) trait ChannelListener {
    /// From now on everything comes.
    fn attached(&mut self);
    /// How long to wait for the next message at most, before this is called again; `None` at the end.
    fn patience(&mut self) -> Option<Duration>;
    fn take(&mut self, message: &[u8]);
}

impl ChannelListener for Incoming<'_> {
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
    pub fn new(link: RedisLink, channel: String) -> Self {
        PubSubSubscriber { link, channel }
    }

    /// Connects, and hands on what comes until the listener has enough.
    pub fn hear(&mut self, listener: &mut impl ChannelListener) -> Result<(), BackplaneError> {
        self.subscribe(listener).map_err(|error| explain(&error))
    }

    fn subscribe(&mut self, listener: &mut impl ChannelListener) -> RedisResult<()> {
        let (mut connection, _) = self.link.connect()?;
        let mut channel = connection.as_pubsub();
        channel.subscribe(&self.channel)?;
        listener.attached();
        let mut longest = None;
        while let Some(patience) = listener.patience() {
            if longest.replace(patience) != Some(patience) {
                channel.set_read_timeout(Some(patience))?;
            }
            match channel.get_message() {
                Ok(message) => listener.take(message.get_payload_bytes()),
                // Its own heartbeats tell a listener whether it still hears. What came of a message is kept.
                Err(error) if error.is_timeout() || is_interrupted(&error) => {}
                Err(error) => return Err(error),
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
