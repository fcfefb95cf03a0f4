//! What is chosen before a server joins the processes of a queue.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use super::adapter::BridgeAdapter;
use super::listener::listen;
use super::process::BridgeProcess;
use super::{Bridge, BridgeHandle};
use crate::Redis;
use crate::cluster::redis::channel;
use crate::cluster::threads;
use crate::socketio::application::SocketIo;

/// Channel and bounds of a bridge; made by [`Bridge::builder`].
///
/// ```
/// use wshub::Redis;
/// use wshub::socketio::SocketIo;
/// use wshub::socketio::bridge::Bridge;
///
/// let io = SocketIo::new(());
/// let redis = Redis::new("redis://127.0.0.1/")?;
/// let bridge = Bridge::builder()
///     .channel("flask-socketio")
///     .max_message(1 << 20)
///     .join(&io, &redis)?;
/// # drop(bridge);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The guide: [beside Flask](crate::guide::flask).
#[derive(Clone, Debug)]
pub struct BridgeBuilder {
    channel: String,
    max_message: usize,
    is_receive_only: bool,
}

impl Default for BridgeBuilder {
    fn default() -> Self {
        BridgeBuilder {
            channel: "socketio".to_owned(),
            max_message: 4 << 20,
            is_receive_only: false,
        }
    }
}

impl BridgeBuilder {
    /// The channel that the processes share. Default `socketio`, as in python-socketio; Flask-SocketIO has
    /// `flask-socketio`. Both take another one as `channel="…"`.
    #[must_use]
    pub fn channel(mut self, name: impl Into<String>) -> Self {
        self.channel = name.into();
        self
    }

    /// The largest message in either direction, in bytes of JSON with binary data in base64. A longer one is neither
    /// taken nor published; that is counted and logged (warn). Default 4 MiB: a picture.
    #[must_use]
    pub fn max_message(mut self, bytes: usize) -> Self {
        self.max_message = bytes;
        self
    }

    /// Takes messages of the other processes and publishes nothing but the answers of clients: for a server whose
    /// events go to other servers already, over a [`Cluster`](crate::Cluster).
    #[must_use]
    pub fn receive_only(mut self) -> Self {
        self.is_receive_only = true;
        self
    }

    /// Joins, as [`Bridge::join`] does. Of `redis` it uses the address and [`timeout`](Redis::timeout).
    ///
    /// # Errors
    /// As [`Bridge::join`].
    pub fn join<S>(self, io: &SocketIo<S>, redis: &Redis) -> io::Result<Bridge> {
        if io.core.is_bridged.swap(true, SeqCst) {
            let why = "this SocketIo has a bridge already, or had one";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
        }
        let mut host = [0; 16];
        getrandom::fill(&mut host).map_err(io::Error::from)?;
        let host = format!("{:032x}", u128::from_be_bytes(host));
        let core = Arc::downgrade(&io.core);
        let process = Arc::new(BridgeProcess::new(host, self.max_message, core));
        let bridge = Bridge(Arc::new(BridgeHandle(process.clone())));
        if !self.is_receive_only {
            let adapter = BridgeAdapter::new(process.clone());
            if io.core.adapter.set(Box::new(adapter)).is_err() {
                let why = "this SocketIo is one of several servers already: give it one bridge or one cluster, or take \
                           BridgeBuilder::receive_only beside a cluster";
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
            }
        }
        let (publisher, subscriber) = channel(redis, &self.channel);
        threads::start(
            &process,
            "wshub-bridge",
            Box::new(publisher),
            move |running| listen(running, subscriber),
        )?;
        Ok(bridge)
    }
}
