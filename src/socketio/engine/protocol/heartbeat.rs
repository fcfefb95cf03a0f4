//! The heartbeat of a session: the server pings, and a client that does not answer in time is gone.

use core::time::Duration;

/// When the next ping is due, or until when its pong is awaited.
#[derive(Debug)]
pub struct Heartbeat {
    interval: Duration,
    timeout: Duration,
    beat: Beat,
}

#[derive(Debug)]
enum Beat {
    Ping {
        at: Duration,
    },
    Pong {
        by: Duration,
        /// Another packet came meanwhile, and has put the end off once.
        put_off: bool,
    },
}

/// What time asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum HeartbeatDue {
    Nothing,
    Ping,
    Timeout,
}

impl Heartbeat {
    pub fn new(interval: Duration, timeout: Duration, now: Duration) -> Self {
        let beat = Beat::Ping { at: now + interval };
        Heartbeat {
            interval,
            timeout,
            beat,
        }
    }

    /// A packet came that is no pong. As with the reference server it puts the end off once: a client that sends
    /// something large is alive.
    pub fn note_packet(&mut self, now: Duration) {
        if let Beat::Pong { by, put_off } = &mut self.beat {
            if !*put_off {
                *put_off = true;
                *by = now + self.timeout;
            }
        }
    }

    /// The next ping follows the last pong.
    pub fn note_pong(&mut self, now: Duration) {
        self.beat = Beat::Ping {
            at: now + self.interval,
        };
    }

    /// What reads stood still: what the client sent meanwhile has its whole time from now on.
    pub fn one_more_round(&mut self, now: Duration) {
        if let Beat::Pong { by, .. } = &mut self.beat {
            *by = now + self.timeout;
        }
    }

    /// Says `Ping` once for each that is to go out. The pong has its whole time from now on where the ping leaves now.
    /// Where the client has to fetch it, the time counts from when it was due, however late this is asked; unless the
    /// process stood still for as long as that.
    pub fn due(&mut self, now: Duration, leaves_now: bool) -> HeartbeatDue {
        match self.beat {
            Beat::Ping { at } if at <= now => {
                let from = match leaves_now || at + 2 * self.timeout <= now {
                    true => now,
                    false => at,
                };
                self.beat = Beat::Pong {
                    by: from + self.timeout,
                    put_off: false,
                };
                HeartbeatDue::Ping
            }
            Beat::Pong { by, .. } if by <= now => HeartbeatDue::Timeout,
            _ => HeartbeatDue::Nothing,
        }
    }

    /// A pong was due before now.
    pub fn is_overdue(&self, now: Duration) -> bool {
        matches!(self.beat, Beat::Pong { by, .. } if by <= now)
    }

    /// When something is due; `hears`: a pong could come.
    pub fn deadline(&self, hears: bool) -> Option<Duration> {
        match self.beat {
            Beat::Ping { at } => Some(at),
            Beat::Pong { by, .. } => hears.then_some(by),
        }
    }
}
