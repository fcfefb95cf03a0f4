//! Who gives way to whom, who waits in line, and who has a place.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use super::*;
use crate::http::Refusal;
use crate::lock::{Mutex, PLAYED};
use crate::tests::wait_until;
use crate::transport::inert;

/// Remembers how it was ended.
#[derive(Default)]
struct Noted(Mutex<Vec<How>, PLAYED>);

impl Noted {
    fn ends(&self) -> Vec<How> {
        lock(&self.0).clone()
    }
}

impl Transport for Noted {
    inert! { read, try_write, wait_writable, wake_when_writable, peer_addr }

    fn shutdown(&self, how: How) {
        lock(&self.0).push(how);
    }
}

/// Two handshakes and two plain requests at once.
struct Rig {
    admission: Admission,
}

impl Rig {
    fn new() -> Self {
        Rig::with(Limits::default())
    }

    fn with(limits: Limits) -> Self {
        let limits = Limits {
            max_handshakes: 2,
            max_http_requests: 2,
            ..limits
        };
        Rig {
            admission: Admission::new(&limits),
        }
    }

    fn seat(&mut self, stage: Stage) -> (Seat, Arc<Noted>) {
        let noted = Arc::new(Noted::default());
        let transport: Arc<dyn Transport> = noted.clone();
        let seat = self.admission.admit(&transport);
        assert!(seat.enter(stage));
        (seat, noted)
    }

    /// One for which the hook runs.
    fn deciding(&mut self) -> Seat {
        let (seat, _) = self.seat(Stage::Reading);
        seat.wait_for_turn(Instant::now()).expect("there is room");
        seat
    }
}

fn later() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

#[test]
fn the_oldest_that_gives_way_does_so_as_its_stage_says() {
    for (stage, end) in [
        (Stage::Reading, How::Read),
        (Stage::Answering, How::Both),
        (Stage::Parting, How::Read),
    ] {
        let mut rig = Rig::new();
        let (_kept, kept) = rig.seat(Stage::Deciding);
        let (first, first_end) = rig.seat(stage);
        let (_second, second) = rig.seat(Stage::Reading);
        let (_newer, newer) = rig.seat(Stage::Reading);
        assert!(first.has_given_way() && !first.enter(Stage::Deciding));
        assert_eq!(first_end.ends(), [end]);
        for other in [kept, second, newer] {
            assert!(other.ends().is_empty());
        }
    }
}

/// The request may be there: that its thread has not looked yet is no fault of the peer's.
#[test]
fn m10_who_has_only_begun_gives_way_where_many_have() {
    let mut rig = Rig::new();
    let begun: Vec<_> = (1..2 * LINE).map(|_| rig.seat(Stage::Begun)).collect();
    let reading: Vec<_> = (0..3).map(|_| rig.seat(Stage::Reading)).collect();
    assert!(reading[0].0.has_given_way() && !reading[1].0.has_given_way());
    // The oldest is one that has to wait for its peer now.
    assert!(!begun[0].0.enter(Stage::Reading));
    assert!(begun[0].0.has_given_way() && !reading[1].0.has_given_way());
    let _three = [(); 3].map(|()| rig.seat(Stage::Begun));
    assert_eq!(begun[1].1.ends(), [How::Read]);
    assert!(begun[2..].iter().all(|(seat, _)| !seat.has_given_way()));
}

#[test]
fn who_only_parts_gives_way_before_who_is_served_yet() {
    let mut rig = Rig::new();
    let (reading, _) = rig.seat(Stage::Reading);
    let (parting, _) = rig.seat(Stage::Parting);
    let _newer = rig.seat(Stage::Reading);
    assert!(parting.has_given_way() && !reading.has_given_way());
}

#[test]
fn m10_while_the_hook_runs_for_all_it_may_others_wait_and_the_newest_is_refused() {
    let mut rig = Rig::new();
    let deciding = [rig.deciding(), rig.deciding()];
    thread::scope(|scope| {
        for count in 1..=2 * LINE {
            let (seat, _) = rig.seat(Stage::Reading);
            scope.spawn(move || seat.wait_for_turn(later()).unwrap());
            wait_until("it waits", || rig.admission.count(Stage::Waiting) == count);
        }
        let (newest, _) = rig.seat(Stage::Reading);
        let refused = newest.wait_for_turn(later());
        assert!(matches!(refused, Err(Refusal::HandshakesFull)));
        // It has its answer, and is the first to go.
        let _two = [rig.seat(Stage::Reading), rig.seat(Stage::Reading)];
        assert!(newest.has_given_way());
        drop(deciding);
    });
    assert_eq!(rig.admission.count(Stage::Waiting), 0);
}

#[test]
fn m10_the_hook_is_asked_for_those_first_that_came_first() {
    let mut rig = Rig::new();
    let deciding = [rig.deciding(), rig.deciding()];
    let (first, _) = rig.seat(Stage::Waiting);
    let (second, _) = rig.seat(Stage::Waiting);
    let waiting = || rig.admission.count(Stage::Waiting);
    assert_eq!(waiting(), 2);
    // Whatever comes after the hook gives its place to the next.
    deciding[1].enter(Stage::Opening);
    assert_eq!(waiting(), 1);
    first.wait_for_turn(Instant::now()).unwrap();
    let full = second.wait_for_turn(Instant::now());
    assert!(matches!(full, Err(Refusal::HandshakesFull)), "it is late");
}

#[test]
fn at_a_shutdown_nobody_waits_in_line_any_more() {
    let mut rig = Rig::new();
    let _deciding = [rig.deciding(), rig.deciding()];
    thread::scope(|scope| {
        let (seat, _) = rig.seat(Stage::Reading);
        let waiting = scope.spawn(move || seat.wait_for_turn(later()));
        wait_until("it waits", || rig.admission.count(Stage::Waiting) == 1);
        rig.admission.close();
        assert!(matches!(
            waiting.join().unwrap(),
            Err(Refusal::ShuttingDown)
        ));
    });
    let (late, _) = rig.seat(Stage::Reading);
    assert!(matches!(
        late.wait_for_turn(later()),
        Err(Refusal::ShuttingDown)
    ));
}

#[test]
fn m10_plain_requests_have_places_of_their_own_and_never_give_way() {
    let mut rig = Rig::new();
    let (first, first_end) = rig.seat(Stage::Reading);
    let (second, second_end) = rig.seat(Stage::Reading);
    for seat in [&first, &second] {
        seat.serve_plain().unwrap();
        // Asked again it has its place.
        seat.serve_plain().unwrap();
    }
    let (third, _) = rig.seat(Stage::Reading);
    assert!(matches!(
        third.serve_plain(),
        Err(Refusal::HttpRequestsFull)
    ));
    assert_eq!(rig.admission.count(Stage::Plain), 2);
    let _newer = [rig.seat(Stage::Reading), rig.seat(Stage::Reading)];
    assert!(third.has_given_way());
    assert!(matches!(third.serve_plain(), Err(Refusal::Evicted)));
    assert!(first_end.ends().is_empty() && second_end.ends().is_empty());
    second.enter(Stage::Parting);
    assert_eq!(rig.admission.count(Stage::Plain), 1);
}

#[test]
fn a_seat_is_held_until_it_is_dropped() {
    let mut rig = Rig::new();
    let seats: Vec<_> = (0..5).map(|_| rig.seat(Stage::Reading)).collect();
    assert_eq!(rig.admission.held(), 5, "three of them are leaving");
    assert_eq!(rig.admission.transports(|_| true).len(), 2);
    drop(seats);
    assert_eq!(rig.admission.held(), 0);
    assert!(rig.admission.transports(|_| true).is_empty());
}

/// The place is free while the last bytes leave, so that their reader may ask again.
#[test]
fn m10_a_page_whose_last_bytes_have_to_wait_has_its_place_again() {
    let mut rig = Rig::new();
    let (slow, _) = rig.seat(Stage::Reading);
    slow.serve_plain().unwrap();
    slow.leave();
    let quick = [rig.seat(Stage::Begun), rig.seat(Stage::Begun)];
    for (seat, _) in &quick {
        seat.serve_plain().unwrap();
    }
    slow.serve_plain().unwrap();
    assert_eq!(rig.admission.count(Stage::Plain), 3);
    let (other, _) = rig.seat(Stage::Begun);
    other.leave();
    let full = other.serve_plain();
    assert!(
        matches!(full, Err(Refusal::HttpRequestsFull)),
        "it had none"
    );
}

#[test]
fn m10_answers_that_wait_for_a_place_have_it_in_turn() {
    let mut rig = Rig::new();
    let plain = [rig.seat(Stage::Reading), rig.seat(Stage::Reading)];
    for (seat, _) in &plain {
        seat.serve_plain().unwrap();
    }
    let (tell, told) = std::sync::mpsc::channel();
    let queued: Vec<_> = (0..3)
        .map(|number| {
            let tell = tell.clone();
            let transport: Arc<dyn Transport> = Arc::new(Noted::default());
            let wake = Arc::new(move || tell.send(number).unwrap());
            rig.admission.queue(&transport, Peer::Unknown, wake)
        })
        .collect();
    assert_eq!(rig.admission.held(), 2, "what waits holds no thread");
    let [first, second] = plain;
    first.0.leave();
    assert!(queued[0].is_served() && !queued[1].is_served());
    drop(second);
    assert!(queued[1].is_served() && !queued[2].is_served());
    let newer = rig.seat(Stage::Begun).0.serve_plain();
    assert!(matches!(newer, Err(Refusal::HttpRequestsFull)));
    drop(queued);
    assert_eq!(told.try_iter().collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(rig.admission.held(), 1);
}

/// Those of other addresses do not wait behind an address that has its fill.
#[test]
fn m10_a_place_goes_to_an_answer_whose_address_has_not_its_fill() {
    let mut rig = Rig::with(Limits {
        max_per_address: Some(1),
        ..Limits::default()
    });
    let [greedy, other] = ["192.0.2.1:80", "192.0.2.2:80"].map(|addr| {
        let addr: SocketAddr = addr.parse().unwrap();
        Peer::from(addr)
    });
    let (first, _) = rig.seat(Stage::Reading);
    first.serve_plain_of(greedy).unwrap();
    let second = rig.seat(Stage::Reading).0.serve_plain_of(greedy);
    assert!(matches!(second, Err(Refusal::TooManyFromAddress)));
    let [waits, served] = [greedy, other].map(|client| {
        let transport: Arc<dyn Transport> = Arc::new(Noted::default());
        rig.admission.queue(&transport, client, Arc::new(|| {}))
    });
    assert!(!waits.is_served() && served.is_served());
    drop(served);
    assert!(!waits.is_served());
    drop(first);
    assert!(waits.is_served());
}
