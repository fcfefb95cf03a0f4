//! Over Pub/Sub: Redis hands on what is published to the nodes that listen at that moment, and keeps nothing.

use redis::{RedisResult, cmd};

use super::error::explain;
use super::link::RedisLink;
use crate::cluster::Incoming;
use crate::cluster::backplane::{BackplaneError, Publisher, Subscriber};

pub(super) struct Announcer {
    link: RedisLink,
    channel: String,
}

impl Announcer {
    pub fn new(link: RedisLink, channel: String) -> Self {
        Announcer { link, channel }
    }
}

impl Publisher for Announcer {
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

pub(super) struct Hearer {
    link: RedisLink,
    channel: String,
}

impl Hearer {
    pub fn new(link: RedisLink, channel: String) -> Self {
        Hearer { link, channel }
    }

    fn hear(&self, incoming: &mut Incoming<'_>) -> RedisResult<()> {
        let mut connection = self.link.connect()?;
        let mut channel = connection.as_pubsub();
        channel.subscribe(&self.channel)?;
        incoming.attached();
        let mut longest = None;
        while let Some(patience) = incoming.patience() {
            if longest.replace(patience) != Some(patience) {
                channel.set_read_timeout(Some(patience))?;
            }
            match channel.get_message() {
                Ok(message) => incoming.take(message.get_payload_bytes()),
                // Its own heartbeats tell a node whether it still hears.
                Err(error) if error.is_timeout() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Subscriber for Hearer {
    fn receive(&mut self, incoming: &mut Incoming<'_>) -> Result<(), BackplaneError> {
        self.hear(incoming).map_err(|error| explain(&error))
    }
}
