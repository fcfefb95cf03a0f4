//! What comes over a WebSocket to a session, and what the session says and has done.

use super::handshake::EngineError;
use super::queue::QueuedPacket;
use crate::socketio::reason::DisconnectReason;

/// What a request is answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PollAnswer {
    /// Packets, to a GET.
    Payload(Vec<u8>),
    /// The body of a POST was taken.
    Taken,
    Error(EngineError),
    /// The request broke the protocol, and has ended the session: 400 without a body.
    Bad,
    /// The body is longer than `max_payload`: 413, and the session has ended.
    TooLarge,
}

/// What a session has the one that drives it do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output<M> {
    /// Answer the GET that is parked.
    Answer(PollAnswer),
    /// Answer the POST that is held.
    AnswerPost(PollAnswer),
    /// Send this over the WebSocket that carries the session.
    Write(QueuedPacket<M>),
    /// Close the WebSocket that carries the session.
    CloseCarrier,
    /// Send this over the WebSocket that is probed.
    Probe(&'static str),
    /// The WebSocket that was probed carries the session from now on.
    Promote,
    /// Close the WebSocket that is probed.
    CloseCandidate,
    /// The client sent a text message.
    Text(String),
    /// The client sent a binary message.
    Binary(Vec<u8>),
    /// The session has ended, for none of the reasons of a namespace: nothing comes after it.
    End(DisconnectReason),
}

/// What came over a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebSocketInput {
    Text(String),
    Binary(Vec<u8>),
}
