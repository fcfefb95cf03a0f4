//! What came of an opening handshake, kept with its connection.

use crate::compression::Agreed;
use crate::handshake::data::Data;
use crate::handshake::upgrade::UpgradeAnswer;
use crate::http::Request;

pub(crate) struct Opening {
    /// The client's; in the role of the client our own.
    pub request: Request,
    /// The subprotocol that was chosen. Boxed twice: most have none, and hold one word for that.
    pub protocol: Option<Box<Box<str>>>,
    /// What was agreed on compression.
    pub extension: Option<Agreed>,
    /// What the `accept` hook has kept; nothing in the role of the client.
    pub data: Data,
}

impl Opening {
    /// What is kept of the answer that opened a WebSocket, with the request that it answered.
    pub fn new(request: Request, upgrade: UpgradeAnswer) -> Self {
        Opening {
            request,
            protocol: upgrade.subprotocol.map(|name| Box::new(name.into())),
            extension: upgrade.extension,
            data: upgrade.data,
        }
    }

    pub fn protocol(&self) -> Option<&str> {
        self.protocol.as_deref().map(Box::as_ref)
    }

    pub fn extensions(&self) -> &str {
        self.extension
            .as_ref()
            .map(Agreed::as_str)
            .unwrap_or_default()
    }
}
