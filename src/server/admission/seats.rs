//! The list of streams before they are connections: how far each is, which has to give way, and whose turn is next.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, Condvar};

use crate::transport::{How, Transport};

#[derive(Default)]
pub(crate) struct Seats {
    /// The oldest first.
    pub seated: VecDeque<Seated>,
    pub last_id: u64,
    /// Seats that are held, also by those that gave way and are leaving.
    pub held: usize,
    /// The server shuts down: no handshake waits in line any more.
    pub closed: bool,
}

pub(crate) struct Seated {
    pub id: u64,
    pub transport: Arc<dyn Transport>,
    pub stage: Stage,
    /// The address of a plain request's client, once there is one.
    pub client: Option<IpAddr>,
    /// Rings when it is its turn, or when the server shuts down.
    pub turn: Option<Arc<Condvar>>,
    /// Called once it has left the line.
    pub on_served: Option<Wake>,
}

/// Tells another thread that there is something to do.
pub(crate) type Wake = Arc<dyn Fn() + Send + Sync>;

/// How far a stream is before it is a connection. The stage decides whether and how it gives way to a newer one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Its thread has not found yet that it has to wait for the peer. The whole request may be there: on a busy machine
    /// the thread is late, not the peer.
    Begun,
    /// It waits for the rest of its TLS handshake or request. To give way, its thread is woken and answers 503.
    Reading,
    /// It waits for the `accept` hook.
    Waiting,
    /// The `accept` hook runs. It does not give way: the work of the hook would be lost.
    Deciding,
    /// Its 101 waits for the peer to take it. To give way, it is cut off.
    Answering,
    /// Its 101 leaves now, without waiting, or has left. It does not give way: a peer that reads 101 has a connection.
    Opening,
    /// The answer to a plain request waits, without a thread, for a place: its body is read while it is written.
    Queued,
    /// A plain request: its hook runs, or the peer reads the answer. A page is not cut.
    Plain,
    /// A plain request whose answer comes later, over a stream that keeps its thread: it is read from meanwhile.
    Held,
    /// The last bytes of its answer leave now, without waiting. A peer that has them may send its next request at once.
    Leaving,
    /// It has its answer. What the peer still sends is read away, for a bounded time.
    Parting,
}

impl Stage {
    pub fn gives_way(self) -> Option<How> {
        match self {
            Stage::Reading | Stage::Parting => Some(How::Read),
            Stage::Answering => Some(How::Both),
            Stage::Begun | Stage::Waiting | Stage::Deciding | Stage::Opening => None,
            Stage::Queued | Stage::Plain | Stage::Held | Stage::Leaving => None,
        }
    }

    pub fn is_plain(self) -> bool {
        matches!(self, Stage::Plain | Stage::Held)
    }
}

impl Seats {
    /// Adds a stream; its number.
    pub fn add(&mut self, transport: &Arc<dyn Transport>, stage: Stage) -> u64 {
        self.last_id += 1;
        self.held += 1;
        self.seated.push_back(Seated {
            id: self.last_id,
            transport: transport.clone(),
            stage,
            client: None,
            turn: None,
            on_served: None,
        });
        self.last_id
    }

    pub fn count(&self, which: impl Fn(Stage) -> bool) -> usize {
        let those = self.seated.iter().filter(|seated| which(seated.stage));
        those.count()
    }

    pub fn own(&mut self, id: u64) -> Option<&mut Seated> {
        self.seated.iter_mut().find(|seated| seated.id == id)
    }

    /// Takes out as many as have to give way, so that at most `max` are left: first streams that only read away, then
    /// the oldest.
    pub fn make_room(&mut self, max: usize) -> Vec<Seated> {
        let mut gone = Vec::new();
        while self.count(|stage| stage.gives_way().is_some()) > max {
            let parting = self.take_out(|it| it.stage == Stage::Parting);
            let oldest = || self.take_out(|it| it.stage.gives_way().is_some());
            gone.extend(parting.or_else(oldest));
        }
        gone
    }

    /// Takes out the oldest seat that `which` picks.
    pub fn take_out(&mut self, which: impl Fn(&Seated) -> bool) -> Option<Seated> {
        let index = self.seated.iter().position(which)?;
        self.seated.remove(index)
    }

    /// Gives the hook's free places to those that have waited longest.
    pub fn pass_on(&mut self, max: usize) {
        while self.count(|stage| stage == Stage::Deciding) < max {
            let mut seated = self.seated.iter_mut();
            let Some(next) = seated.find(|it| it.stage == Stage::Waiting) else {
                return;
            };
            next.stage = Stage::Deciding;
            if let Some(turn) = next.turn.take() {
                turn.notify_one();
            }
        }
    }
}
