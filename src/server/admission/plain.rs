//! How many plain requests may be under way, in all and of one address. Answers that come later and need a thread wait
//! in line for a place among them.

use std::collections::HashMap;
use std::net::IpAddr;

use super::seats::{Seated, Seats, Stage, Wake};
use crate::http::Refusal;

#[derive(Clone, Copy)]
pub(crate) struct PlainBounds {
    pub in_all: usize,
    pub per_address: Option<usize>,
}

impl PlainBounds {
    /// Whether there is a place for one more plain request, of this client.
    pub fn check(self, seats: &Seats, client: Option<IpAddr>) -> Result<(), Refusal> {
        if seats.count(Stage::is_plain) >= self.in_all {
            return Err(Refusal::HttpRequestsFull);
        }
        let plain_of = |client| {
            let own = |it: &&Seated| it.client == Some(client);
            of_addresses(seats).filter(own).count()
        };
        match self.per_address.zip(client) {
            Some((most, client)) if plain_of(client) >= most => Err(Refusal::TooManyFromAddress),
            _ => Ok(()),
        }
    }

    /// Gives free places among the plain requests to those that have waited longest and whose address has room. Returns
    /// what to call without the lock.
    pub fn serve_queued(self, seats: &mut Seats) -> Vec<Wake> {
        let mut served = Vec::new();
        if seats.count(|stage| stage == Stage::Queued) == 0 {
            return served;
        }
        let mut free = self.in_all.saturating_sub(seats.count(Stage::is_plain));
        let mut of_each = plain_of_each(seats);
        let seated = seats.seated.iter_mut();
        for seated in seated.filter(|it| it.stage == Stage::Queued) {
            if free == 0 {
                break;
            }
            if let Some((most, client)) = self.per_address.zip(seated.client) {
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

/// Requests under way that count for their address. One whose answer comes later does not, as one that holds no
/// thread: a client that polls sends, too.
fn of_addresses(seats: &Seats) -> impl Iterator<Item = &Seated> {
    let seated = seats.seated.iter();
    seated.filter(|it| it.stage == Stage::Plain)
}

fn plain_of_each(seats: &Seats) -> HashMap<IpAddr, usize> {
    let mut of_each = HashMap::default();
    for seated in of_addresses(seats) {
        if let Some(client) = seated.client {
            *of_each.entry(client).or_default() += 1;
        }
    }
    of_each
}
