//! The list of streams before they are connections: how far each is, which has to give way, and whose turn is next.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Condvar};

use crate::http::Refusal;
use crate::transport::{How, Transport};

/// How many plain requests may be under way.
#[derive(Clone, Copy)]
pub(crate) struct PlainBounds {
    pub in_all: usize,
    pub per_address: Option<usize>,
}

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

    /// Whether there is a place for one more plain request, of this client.
    pub fn check_plain(&self, most: PlainBounds, client: Option<IpAddr>) -> Result<(), Refusal> {
        if self.count(Stage::is_plain) >= most.in_all {
            return Err(Refusal::HttpRequestsFull);
        }
        match most.per_address.zip(client) {
            Some((most, client)) if self.plain_of(client) >= most => {
                Err(Refusal::TooManyFromAddress)
            }
            _ => Ok(()),
        }
    }

    /// Requests under way that count for their address. One whose answer comes later does not, as one that holds no
    /// thread: a client that polls sends, too.
    fn of_addresses(&self) -> impl Iterator<Item = &Seated> {
        let seated = self.seated.iter();
        seated.filter(|it| it.stage == Stage::Plain)
    }

    fn plain_of(&self, client: IpAddr) -> usize {
        let own = |it: &&Seated| it.client == Some(client);
        self.of_addresses().filter(own).count()
    }

    fn plain_of_each(&self) -> HashMap<IpAddr, usize> {
        let mut of_each = HashMap::default();
        for seated in self.of_addresses() {
            if let Some(client) = seated.client {
                *of_each.entry(client).or_default() += 1;
            }
        }
        of_each
    }

    /// Gives free places among the plain requests to those that have waited longest and whose address has room. Returns
    /// what to call without the lock.
    pub fn serve_queued(&mut self, most: PlainBounds) -> Vec<Wake> {
        let mut served = Vec::new();
        if self.count(|stage| stage == Stage::Queued) == 0 {
            return served;
        }
        let mut free = most.in_all.saturating_sub(self.count(Stage::is_plain));
        let mut of_each = self.plain_of_each();
        for seated in self
            .seated
            .iter_mut()
            .filter(|it| it.stage == Stage::Queued)
        {
            if free == 0 {
                break;
            }
            if let Some((most, client)) = most.per_address.zip(seated.client) {
                let own = of_each.entry(client).or_default();
                if *own >= most {
                    continue;
                }
                *own += 1;
            }
            free -= 1;
            seated.stage = Stage::Plain;
            served.extend(seated.on_served.take());
        }
        served
    }
}
