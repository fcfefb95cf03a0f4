//! What the machine makes of a client's bytes and of the time, both given by hand.

use std::convert::Infallible;

use super::*;
use crate::message::Message;
use crate::protocol::close::CloseCode;
use crate::protocol::frame::EncodedHeader;
use crate::protocol::opcode::Opcode;

const SECOND: Duration = Duration::from_secs(1);

/// What the machine wants sent, and what it is told of the sending side.
#[derive(Default)]
struct RecordedAnswers {
    pongs: Vec<Vec<u8>>,
    pings: usize,
    taken_at: Option<Instant>,
    close_by: Option<Instant>,
}

impl Answers for RecordedAnswers {
    fn pong(&mut self, payload: &[u8]) -> Result<(), End> {
        self.pongs.push(payload.to_vec());
        Ok(())
    }

    fn ping(&mut self) -> Result<(), End> {
        self.pings += 1;
        Ok(())
    }

    fn taken_at(&self) -> Option<Instant> {
        self.taken_at
    }

    fn close_by(&self) -> Option<Instant> {
        self.close_by
    }
}

/// A server's conversation: a ping after 10 s of silence, its answer within 5 s.
struct Rig {
    conversation: Conversation,
    told: RecordedAnswers,
    began: Instant,
}

impl Rig {
    fn new() -> Self {
        let limits = Limits {
            pong_timeout: 5 * SECOND,
            assembly_timeout: 30 * SECOND,
            ..Limits::default()
        };
        let (began, interval) = (Instant::now(), Some(10 * SECOND));
        let rules = ConversationRules::new(&limits, interval, began);
        let buffer = ReadBuffer::default();
        Rig {
            conversation: Conversation::new(Role::Server, &limits, rules, buffer, None, began),
            told: RecordedAnswers::default(),
            began,
        }
    }

    fn at(&self, seconds: u32) -> Instant {
        self.began + seconds * SECOND
    }

    /// Reads `bytes` so many seconds after the beginning, and takes what is whole.
    fn read(&mut self, mut bytes: &[u8], seconds: u32) -> Result<Vec<Message>, End> {
        let now = self.at(seconds);
        let mut messages = Vec::new();
        loop {
            let taken = |message: MessageRef<'_>| message.to_message();
            while let Some(message) = self.conversation.next(&mut self.told, taken)? {
                messages.push(message);
            }
            if bytes.is_empty() {
                return Ok(messages);
            }
            let room = self.conversation.room();
            let (read, rest) = bytes.split_at(room.len().min(bytes.len()));
            room[..read.len()].copy_from_slice(read);
            let read = Ok::<_, Infallible>(read.len());
            self.conversation.filled(&read, None, now);
            bytes = rest;
        }
    }

    /// What the leader asks: until when nothing is due, in seconds.
    fn silence(&mut self, seconds: u32) -> Result<Option<u64>, End> {
        let now = self.at(seconds);
        let until = self.conversation.in_silence(now, &mut self.told)?;
        Ok(until.map(|until| (until - self.began).as_secs()))
    }
}

fn frame(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    let key = Some([1, 2, 3, 4]);
    EncodedHeader::new(opcode, payload.len(), key).append_frame_to(payload, &mut frame);
    frame
}

#[test]
fn messages_come_in_order_and_pings_are_answered_wherever_reads_end() {
    let mut sent = frame(Opcode::Text, b"one");
    sent.extend(frame(Opcode::Ping, b"there?"));
    sent.extend(frame(Opcode::Binary, &[2; 700]));
    sent.extend(frame(Opcode::Pong, b""));
    for at in 0..=sent.len() {
        let mut rig = Rig::new();
        let mut messages = rig.read(&sent[..at], 1).unwrap();
        messages.extend(rig.read(&sent[at..], 2).unwrap());
        assert_eq!(messages, ["one".into(), Message::from(vec![2; 700])]);
        assert_eq!(rig.told.pongs, [b"there?"]);
    }
}

#[test]
fn a_close_ends_it_with_its_code_and_reason() {
    let mut rig = Rig::new();
    let end = rig.read(&frame(Opcode::Close, b"\x0f\xa1bye"), 1);
    let Err(End::Closed(code, reason)) = end else {
        panic!("{end:?}");
    };
    assert_eq!((code, &reason[..]), (Some(CloseCode::from(4001)), "bye"));
}

#[test]
fn a_fault_of_the_peer_ends_it_behind_the_messages_before() {
    let mut rig = Rig::new();
    let mut seen = 0;
    let mut sent = frame(Opcode::Text, b"one");
    sent.extend(frame(Opcode::Continuation, b"two"));
    let room = rig.conversation.room();
    room[..sent.len()].copy_from_slice(&sent);
    let now = rig.at(1);
    rig.conversation
        .filled(&Ok::<_, Infallible>(sent.len()), None, now);
    let end = loop {
        match rig.conversation.next(&mut rig.told, |_| seen += 1) {
            Ok(next) => assert!(next.is_some()),
            Err(end) => break end,
        }
    };
    assert_eq!(seen, 1);
    assert!(matches!(end, End::Failed(Error::Protocol(_))), "{end:?}");
}

#[test]
fn a_silent_peer_is_pinged_once_and_given_up_without_an_answer() {
    let mut rig = Rig::new();
    assert_eq!(rig.silence(3).unwrap(), Some(10));
    assert_eq!(rig.silence(10).unwrap(), Some(15));
    assert_eq!(rig.silence(14).unwrap(), Some(15));
    assert_eq!(rig.told.pings, 1);
    let end = rig.silence(15);
    assert!(matches!(end, Err(End::Failed(Error::PongTimeout))));
}

#[test]
fn any_byte_is_an_answer_to_a_ping() {
    let mut rig = Rig::new();
    assert_eq!(rig.silence(10).unwrap(), Some(15));
    // Half a frame: from now on the message has its time, too.
    rig.read(&frame(Opcode::Text, b"half")[..3], 14).unwrap();
    assert_eq!(rig.silence(15).unwrap(), Some(24));
    assert_eq!(rig.told.pings, 1);
}

#[test]
fn a_peer_that_still_takes_what_is_before_the_ping_is_waited_for() {
    let mut rig = Rig::new();
    rig.silence(10).unwrap();
    rig.told.taken_at = Some(rig.at(13));
    assert_eq!(rig.silence(15).unwrap(), Some(23));
    assert_eq!(rig.silence(23).unwrap(), Some(28));
    let end = rig.silence(28);
    assert!(matches!(end, Err(End::Failed(Error::PongTimeout))));
}

#[test]
fn a_message_that_does_not_get_on_ends_it() {
    let mut rig = Rig::new();
    rig.read(&frame(Opcode::Text, b"half")[..3], 1).unwrap();
    let ping = frame(Opcode::Ping, b"");
    for seconds in 2..31 {
        rig.silence(seconds).unwrap();
        rig.told.taken_at = Some(rig.at(seconds));
    }
    assert!(rig.read(&ping[..0], 30).unwrap().is_empty());
    let end = rig.silence(31);
    assert!(matches!(end, Err(End::Failed(Error::AssemblyTimeout))));
}

#[test]
fn time_between_two_reads_that_wait_counts_against_nobody() {
    let mut rig = Rig::new();
    let until = |rig: &mut Rig, seconds| {
        let now = rig.at(seconds);
        let until = rig.conversation.before_read(now, &mut rig.told).unwrap();
        until.map(|until| (until - rig.began).as_secs())
    };
    assert_eq!(until(&mut rig, 0), Some(10));
    assert_eq!(until(&mut rig, 100), Some(110));
    assert_eq!(rig.told.pings, 0);
}

/// A slow application leaves messages in the buffer, and behind them one that has begun.
#[test]
fn what_is_in_the_buffer_while_the_application_is_slow_has_its_time_after_that() {
    let mut rig = Rig::new();
    let mut sent = frame(Opcode::Text, b"whole");
    sent.extend(&frame(Opcode::Text, b"begun")[..8]);
    rig.conversation.room()[..sent.len()].copy_from_slice(&sent);
    let (read, now) = (Ok::<_, Infallible>(sent.len()), rig.at(1));
    rig.conversation.filled(&read, None, now);
    let mut next = || {
        rig.conversation
            .next(&mut rig.told, |message| message.len())
    };
    assert_eq!(next().unwrap(), Some(5));
    rig.conversation.stood_still(100 * SECOND);
    let mut next = || {
        rig.conversation
            .next(&mut rig.told, |message| message.len())
    };
    assert_eq!(next().unwrap(), None);
    assert!(rig.conversation.is_assembling());
    assert_eq!(rig.silence(102).unwrap(), Some(111));
    rig.silence(130).unwrap();
    assert!(matches!(
        rig.silence(131),
        Err(End::Failed(Error::AssemblyTimeout))
    ));
}

#[test]
fn a_process_that_stood_still_gives_one_more_round() {
    let mut rig = Rig::new();
    rig.silence(10).unwrap();
    rig.conversation.resumed(rig.at(1000));
    assert_eq!(rig.silence(1000).unwrap(), Some(1005));
    let end = rig.silence(1005);
    assert!(matches!(end, Err(End::Failed(Error::PongTimeout))));
}

#[test]
fn a_peer_that_does_not_finish_the_closing_handshake_is_lost() {
    let mut rig = Rig::new();
    rig.told.close_by = Some(rig.at(5));
    let now = rig.at(4);
    let until = rig.conversation.before_read(now, &mut rig.told).unwrap();
    assert_eq!(until, Some(rig.at(5)));
    let end = rig.conversation.before_read(rig.at(5), &mut rig.told);
    assert!(matches!(end, Err(End::Lost)));
}
