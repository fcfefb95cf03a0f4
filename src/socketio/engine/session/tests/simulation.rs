//! Sessions with random interleavings of everything that can happen to them, each from a seed.

use super::*;
use crate::seeded::{Random, for_each_seed};

/// What must hold whatever happens: messages arrive once and in order, a GET has one answer, the end comes once and
/// nothing behind it, and no deadline lies in the past.
struct Checked {
    rig: Rig,
    parked: bool,
    candidate: bool,
    websocket: bool,
    /// How many were sent and how many have arrived at the client.
    sent: u32,
    arrived: u32,
    ended: bool,
}

impl Checked {
    fn new(random: &mut Random) -> Checked {
        let websocket = random.chance(30);
        let rig = match websocket {
            true => Rig::over_websocket(),
            false => Rig::polling(),
        };
        Checked {
            rig,
            parked: false,
            candidate: false,
            websocket,
            sent: 0,
            arrived: 0,
            ended: false,
        }
    }

    fn arrive(&mut self, payload: &[u8]) {
        let payload = std::str::from_utf8(payload).unwrap();
        for packet in payload.split('\x1e') {
            if let Some(number) = packet.strip_prefix('4') {
                assert_eq!(number.parse(), Ok(self.arrived), "in order, none lost");
                self.arrived += 1;
            }
        }
    }

    fn answered(&mut self, answer: &PollAnswer) {
        if let PollAnswer::Payload(payload) = answer {
            assert!(!payload.is_empty());
            assert!(payload.len() <= CONFIG.max_payload);
            self.arrive(payload);
        }
    }

    fn see_outputs(&mut self) {
        while let Some(output) = self.rig.session.next_output() {
            match output {
                Output::Answer(answer) => {
                    assert!(std::mem::take(&mut self.parked), "an answer to nobody");
                    self.answered(&answer);
                }
                Output::Write(Outgoing::Message(Sent::Text(text))) => {
                    assert!(self.websocket);
                    self.arrive(format!("4{text}").as_bytes());
                }
                Output::Write(_) => assert!(self.websocket),
                Output::CloseCarrier => assert!(std::mem::take(&mut self.websocket)),
                Output::Probe(_) => assert!(self.candidate),
                Output::Promote => {
                    assert!(std::mem::take(&mut self.candidate));
                    self.websocket = true;
                }
                Output::CloseCandidate => assert!(std::mem::take(&mut self.candidate)),
                Output::Text(_) | Output::Binary(_) => assert!(!self.ended),
                Output::End(_) => assert!(!std::mem::replace(&mut self.ended, true)),
            }
        }
        let deadline = self.rig.session.deadline();
        assert!(deadline.is_none_or(|at| at > self.rig.now) || !self.rig.session.is_open());
        if self.ended && self.rig.session.is_over() {
            assert!(!self.parked && !self.candidate && !self.websocket);
        }
    }

    fn step(&mut self, random: &mut Random) {
        let now = self.rig.now;
        match random.below(12) {
            0 | 1 => {
                let parked = self.parked;
                let answer = self.rig.session.get(now);
                assert!(!(parked && answer.is_none()), "two are parked");
                match answer {
                    None => self.parked = true,
                    Some(answer) => {
                        self.see_outputs();
                        self.answered(&answer);
                    }
                }
            }
            2 => {
                let body = random.pick(&["4a", "3", "4b\x1ebAQID", "3\x1e4c", "1", "x", "2"]);
                let likely = if random.chance(95) { "3\x1e4a" } else { body };
                self.rig.session.post(likely.as_bytes(), false, now);
            }
            3 if self.parked && random.chance(5) => {
                self.parked = false;
                self.rig.session.hung_up();
            }
            4 => {
                let taken = self.rig.session.probe(now);
                assert!(!(taken && self.candidate), "two are probed");
                self.candidate |= taken;
            }
            5 if self.candidate => {
                let packet = random.pick(&["2probe", "2probe", "5", "5", "4a", "x"]);
                self.rig.session.hear_candidate(&said(packet));
            }
            6 if self.candidate && random.chance(30) => {
                self.candidate = false;
                self.rig.session.candidate_ended();
            }
            7 if self.websocket => {
                let packet = random.pick(&["4a", "3", "3", "4b", "6"]);
                self.rig.session.hear_carrier(said(packet), now);
            }
            8 if self.websocket && random.chance(3) => {
                self.rig.session.carrier_ended();
            }
            9 if random.chance(2) => self.rig.session.close(now),
            10 => {
                let pause = random.pick(&[MS, 30 * MS, 60 * MS, 3_000 * MS, 21_000 * MS]);
                self.rig.pass(pause);
            }
            _ => {
                let open = self.rig.session.is_open();
                if self
                    .rig
                    .session
                    .send(&[text(&self.sent.to_string())])
                    .is_ok()
                    && open
                {
                    self.sent += 1;
                }
            }
        }
        self.see_outputs();
        assert!(self.arrived <= self.sent);
    }
}

fn simulate(seed: u64) {
    let mut random = Random::new(seed);
    let mut session = Checked::new(&mut random);
    for _ in 0..120 {
        session.step(&mut random);
    }
    // However it was left: without anybody it ends by itself.
    let mut rig = session.rig;
    while let Some(deadline) = rig.session.deadline() {
        rig.now = rig.now.max(deadline);
        rig.session.see_to_time(rig.now);
        rig.outputs();
        assert!(rig.now < Duration::from_secs(10_000));
    }
    assert!(rig.session.is_over());
}

#[test]
fn whatever_happens_messages_arrive_once_in_order_and_the_end_comes_once() {
    let test = "--lib whatever_happens_messages_arrive_once";
    for_each_seed(test, 2, Duration::from_secs(2), simulate);
}
