//! Whether what is sent to a socket may go out: not before its client has been told that it is in, and not after its
//! end.

use super::engine::part::Part;
use super::engine::protocol::queue::{PacketQueue, QueueFull};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reliability {
    Reliable,
    /// Only if it can leave now.
    Volatile,
}

pub(crate) enum Gate {
    /// The client has not been told that it is in: what is sent waits for that, as much as its session may queue.
    Joining(PacketQueue<Part>),
    /// As `Joining`, but more was sent than may wait, and its session ends for that.
    Overflowed,
    Joined,
    /// With the rooms that it was in.
    Left(Vec<String>),
}

impl Gate {
    /// Holds a packet back, and gives how many packets were dropped. `None` where the packet may go out.
    pub fn hold(
        &mut self,
        packet: &[Part],
        delivery: Reliability,
    ) -> Option<Result<usize, QueueFull>> {
        match self {
            Gate::Joined => None,
            Gate::Left(_) => Some(Ok(0)),
            Gate::Joining(held) if delivery == Reliability::Reliable => {
                let pushed = held.push(packet);
                if pushed.is_err() {
                    *self = Gate::Overflowed;
                }
                Some(pushed)
            }
            Gate::Joining(_) | Gate::Overflowed => Some(Ok(1)),
        }
    }
}

#[cfg(test)]
mod tests;
