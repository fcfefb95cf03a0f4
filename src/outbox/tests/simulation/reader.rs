//! The reading half of the connection, and what its peer sends it.

use super::*;
use crate::protocol::pace::Pace;

pub(crate) struct Reader {
    receiver: Receiver,
    keepalive: Keepalive,
    rules: KeepaliveRules,
    buffer: Vec<u8>,
    /// Sent and not arrived.
    flying: Vec<u8>,
    /// Messages that were sent and not received.
    expected: VecDeque<Vec<u8>>,
    pub pings: u64,
    /// Nothing is sent after a Close, or after what breaks the protocol.
    last: Option<Last>,
    /// When the last byte came.
    heard: Duration,
}

#[derive(Clone, Copy, PartialEq)]
enum Last {
    Close,
    Violation,
}

/// What came of a frame.
enum Step {
    Goes,
    NeedsMore,
    Ends,
}

impl Reader {
    pub fn new(limits: ReceiveLimits, assembly: Pace) -> Reader {
        Reader {
            receiver: Receiver::new(Role::Server, limits),
            keepalive: Keepalive::new(Duration::ZERO),
            rules: KeepaliveRules {
                ping_interval: Some(PING),
                pong_wait: PONG,
                assembly,
            },
            buffer: Vec::new(),
            flying: Vec::new(),
            expected: VecDeque::new(),
            pings: 0,
            last: None,
            heard: Duration::ZERO,
        }
    }

    pub fn peer_sends(&mut self, random: &mut Random) {
        if self.last.is_some() {
            return;
        }
        match random.below(100) {
            0..50 => self.peer_sends_message(random),
            50..80 => {
                self.pings += 1;
                let payload = numbered(self.pings, 8);
                self.frame(random, Opcode::Ping, true, &payload);
            }
            80..96 => self.frame(random, Opcode::Pong, true, b"unasked"),
            96..98 => {
                self.frame(random, Opcode::Close, true, &4000u16.to_be_bytes());
                self.last = Some(Last::Close);
            }
            _ => {
                let rsv = random.pick(&[0xC1, 0x83, 0x09]);
                self.flying.extend([rsv, 0x80, 0, 0, 0, 0]);
                self.last = Some(Last::Violation);
            }
        }
    }

    fn peer_sends_message(&mut self, random: &mut Random) {
        let len = random.pick(&[0, 5, 125, 126, 3000, MAX_MESSAGE]);
        let payload: Vec<u8> = (0..len).map(|_| random.number() as u8).collect();
        let mut opcode = Opcode::Binary;
        let mut rest = &payload[..];
        while random.chance(30) {
            let (part, behind) = rest.split_at(random.below(rest.len() + 1));
            self.frame(random, opcode, false, part);
            (opcode, rest) = (Opcode::Continuation, behind);
            if random.chance(30) {
                self.frame(random, Opcode::Pong, true, b"between");
            }
        }
        self.frame(random, opcode, true, rest);
        self.expected.push_back(payload);
    }

    fn frame(&mut self, random: &mut Random, opcode: Opcode, fin: bool, payload: &[u8]) {
        let key = (random.number() as u32).to_ne_bytes();
        let flying = &mut self.flying;
        let last = EncodedHeader::new(opcode, payload.len(), Some(key));
        let header = if fin { last } else { last.continued() };
        header.append_to(flying);
        let masked = payload.iter().zip(key.iter().cycle());
        flying.extend(masked.map(|(byte, key)| byte ^ key));
    }

    /// Reads some of what is on its way; true if the connection ends with it.
    pub fn bytes_arrive(&mut self, random: &mut Random, outbox: &Arc<Outbox>) -> bool {
        let flying = self.flying.len();
        let most = random.pick(&[1, 10, 500, 10_000]);
        let count = flying.min(1 + random.below(most));
        if count == 0 {
            return false;
        }
        let arrived: Vec<u8> = self.flying.drain(..count).collect();
        self.buffer.extend(arrived);
        self.heard = NOW.get();
        let ended = loop {
            match self.receive_one(outbox) {
                Step::Goes => {}
                Step::NeedsMore => break false,
                Step::Ends => break true,
            }
        };
        outbox.flush();
        ended
    }

    /// As the driver of a connection does it, but for messages that are whole, which that takes many at once.
    fn receive_one(&mut self, outbox: &Arc<Outbox>) -> Step {
        let Reader {
            receiver,
            buffer,
            keepalive,
            rules,
            expected,
            last,
            ..
        } = self;
        match receiver.receive(buffer) {
            Ok(Received::NeedMore { keep }) => {
                buffer.truncate(keep.end);
                buffer.drain(..keep.start);
                keepalive.received(NOW.get(), receiver.under_way(), rules);
                return Step::NeedsMore;
            }
            Ok(Received::Message(MessageRef::Binary(bytes))) => {
                assert_eq!(expected.pop_front().as_deref(), Some(bytes));
            }
            Ok(Received::Ping(payload)) => outbox.pong(payload),
            Ok(Received::Pong(_)) => {}
            Ok(Received::Message(MessageRef::Text(text))) => panic!("nobody sent {text:?}"),
            Ok(Received::Part(part)) => panic!("nobody sent {part:?}"),
            Ok(Received::Close(code, _)) => {
                assert!(*last == Some(Last::Close) && expected.is_empty());
                let _ = outbox.close(code, "");
                return Step::Ends;
            }
            Err(violation) => {
                assert!(*last == Some(Last::Violation) && expected.is_empty());
                let _ = outbox.close(Some(violation.close_code()), "");
                return Step::Ends;
            }
        }
        let discard = receiver.take_discard();
        buffer.drain(..discard);
        Step::Goes
    }

    /// Its deadlines, as it sees to them whenever it is awake; `None` once it has given the connection up.
    pub fn is_due(&mut self, outbox: &Arc<Outbox>) -> Option<Duration> {
        let silent = NOW.get() - self.heard;
        loop {
            let Reader {
                keepalive, rules, ..
            } = self;
            match keepalive.due(NOW.get(), rules) {
                Due::Wait(until) => {
                    let until = until.expect("a heartbeat always has a deadline");
                    assert!(until > NOW.get(), "the reader would spin");
                    return Some(until);
                }
                Due::Ping => {
                    assert!(silent >= PING);
                    let _ = outbox.ping(Default::default);
                }
                Due::PongTimedOut if self.is_taking(outbox) => {}
                Due::PongTimedOut => {
                    assert!(silent >= PING + PONG);
                    return None;
                }
                Due::AssemblyTimedOut => {
                    assert!(self.receiver.is_assembling());
                    let _ = outbox.close(Some(CloseCode::POLICY_VIOLATION), "");
                    return None;
                }
            }
        }
    }

    fn is_taking(&mut self, outbox: &Arc<Outbox>) -> bool {
        let left_at = outbox.left_at();
        left_at.is_some_and(|at| self.keepalive.taken(at - *START))
    }
}
