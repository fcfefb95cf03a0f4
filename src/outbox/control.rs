//! Pings, pongs and Closes on their way out: no bound applies to them.

use std::sync::Arc;

use super::Outbox;
use super::frame::Frame;
use super::queue::{COLLECT, Outgoing, Queue};
use super::ready_state::ReadyState;
use super::state::Link;
use crate::error::{CloseError, SendErrorKind};
use crate::protocol::close::CloseCode;
use crate::protocol::opcode::Opcode;

impl Outbox {
    /// Sends a ping (RFC 6455 section 5.5.2) with the payload that it is given, where it is sent.
    pub fn ping(self: &Arc<Self>, payload: impl FnOnce() -> [u8; 8]) -> Result<(), SendErrorKind> {
        let mut state = self.lock();
        let Some((link, queue)) = state.parts() else {
            return Err(SendErrorKind::Closed);
        };
        // What was collected leaves first, and may end the connection.
        queue.flush(link);
        // One ping that waits asks as much as many.
        let payload = (!queue.kept.holds_ping()).then(payload);
        let (waits, payload) = (payload.is_none(), payload.unwrap_or_default());
        let mut frame = Vec::new();
        let ping = queue.sender.frame(Opcode::Ping, &payload, None, &mut frame);
        let goes = ping.is_ok() && !queue.cut;
        if goes && !waits {
            queue.put_control(link, frame);
        }
        self.watch(state);
        match goes {
            true => Ok(()),
            false => Err(SendErrorKind::Closed),
        }
    }

    /// Answers a ping. At most one answer waits: the latest ping wins (RFC 6455 section 5.5.3).
    pub fn pong(self: &Arc<Self>, payload: &[u8]) {
        let mut state = self.lock();
        let Some((link, queue)) = state.parts() else {
            return;
        };
        if queue.cut {
            return;
        }
        if !queue.kept.is_empty() {
            let mut frame = Vec::new();
            let sent = queue.sender.frame(Opcode::Pong, payload, None, &mut frame);
            if sent.is_ok() && queue.keep_pong(frame) {
                self.watch(state);
            }
        } else if queue
            .sender
            .frame(Opcode::Pong, payload, None, &mut queue.collected)
            .is_ok()
            && queue.collected.len() >= COLLECT
        {
            queue.flush(link);
            self.watch(state);
        }
    }

    /// Starts or answers the closing handshake (RFC 6455 section 7.1.2). After it nothing is sent.
    pub fn close(
        self: &Arc<Self>,
        code: Option<CloseCode>,
        reason: &str,
    ) -> Result<(), CloseError> {
        let mut state = self.lock();
        let Some((link, queue)) = state.parts() else {
            return Err(CloseError::Closed);
        };
        if queue.cut || !queue.put_close(link, code, reason) {
            return Err(CloseError::Closed);
        }
        self.set_ready(ReadyState::Closing);
        self.watch(state);
        Ok(())
    }
}

impl Queue {
    /// Writes a Close or keeps it; false if one was sent before.
    pub fn put_close(&mut self, link: &Link, code: Option<CloseCode>, reason: &str) -> bool {
        let mut frame = Vec::new();
        let now = (self.clock)().saturating_duration_since(self.epoch);
        let begun = self.sender.close(code, reason, None, now, &mut frame);
        // fault: a second Close
        if begun {
            // The deadline of the closing handshake is news to whoever leads; a sender that waits knows of none but
            // its own.
            // fault: a Close's deadline is no news
            (self.has_news, self.attended) = (true, false);
            self.put_control(link, frame);
        }
        begun
    }

    fn put_control(&mut self, link: &Link, frame: Vec<u8>) {
        if self.failure.is_some() {
            return;
        }
        let mut written = None;
        if self.kept.is_empty() {
            let whole = Outgoing {
                header: &frame,
                payload: &[],
            };
            written = self.write_through(link, &whole);
            if written == Some(frame.len()) {
                return;
            }
        }
        self.keep(Frame::bytes(frame), written.unwrap_or(0));
    }
}
