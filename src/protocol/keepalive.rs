//! When to ping a silent peer, when to give up on it, and how long a message may take to arrive.

use core::time::Duration;

/// The deadlines of one connection's reading half, each an absolute time.
///
/// While a reader waits for the application it calls [`stood_still`](Keepalive::stood_still) afterwards, so that
/// nobody is dropped because the application was slow.
#[derive(Debug)]
pub struct Keepalive {
    ping_interval: Option<Duration>,
    pong_wait: Duration,
    assembly: Duration,
    /// When the last byte came, or the connection began.
    heard_at: Duration,
    /// Until when a sign of life has to come; set by a ping.
    pong_by: Option<Duration>,
    /// Until when the message under way has to be complete.
    assembled_by: Option<Duration>,
}

/// What [`Keepalive::due`] asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Nothing, until this time; `None`: until bytes come.
    Wait(Option<Duration>),
    /// Send a ping. Said once per silent interval; from now on the peer's answer is awaited.
    Ping,
    /// The peer gave no sign of life after the ping: end the connection.
    PongTimedOut,
    /// A message took too long to arrive: end the connection.
    AssemblyTimedOut,
}

impl Keepalive {
    /// Starts at `now`. Without a `ping_interval` there are no pings; the assembly deadline holds all the same.
    pub fn new(
        ping_interval: Option<Duration>,
        pong_wait: Duration,
        assembly: Duration,
        now: Duration,
    ) -> Keepalive {
        Keepalive {
            ping_interval,
            pong_wait,
            assembly,
            heard_at: now,
            pong_by: None,
            assembled_by: None,
        }
    }

    /// To be called when the bytes of a read were processed. Any byte is a sign of life.
    ///
    /// `assembling`: what `Receiver::is_assembling` says after `NeedMore`. `completed`: it was false after at least
    /// one event of this read, so that what is under way now began later. A control frame between fragments is
    /// neither, and gives the message no more time.
    pub fn received(&mut self, now: Duration, assembling: bool, completed: bool) {
        self.heard_at = now;
        self.pong_by = None;
        if !assembling {
            self.assembled_by = None;
        } else if completed || self.assembled_by.is_none() {
            self.assembled_by = Some(now.saturating_add(self.assembly));
        }
    }

    /// Moves every running deadline: for so long this side did not read.
    pub fn stood_still(&mut self, by: Duration) {
        self.heard_at = self.heard_at.saturating_add(by);
        for deadline in [&mut self.pong_by, &mut self.assembled_by]
            .into_iter()
            .flatten()
        {
            *deadline = deadline.saturating_add(by);
        }
    }

    /// To be called when this process itself stood still (it was stopped, its machine was paused) and deadlines may
    /// have passed meanwhile: the peer gets one more round to show that it is there.
    pub fn resumed(&mut self, now: Duration) {
        let round = now.saturating_add(self.pong_wait);
        for deadline in [&mut self.pong_by, &mut self.assembled_by]
            .into_iter()
            .flatten()
        {
            *deadline = (*deadline).max(round);
        }
    }

    /// What has to be done at `now`.
    pub fn due(&mut self, now: Duration) -> Due {
        if self.pong_by.is_some_and(|by| by <= now) {
            return Due::PongTimedOut;
        }
        if self.assembled_by.is_some_and(|by| by <= now) {
            return Due::AssemblyTimedOut;
        }
        let ping_at = self.ping_at();
        if ping_at.is_some_and(|at| at <= now) {
            self.pong_by = Some(now.saturating_add(self.pong_wait));
            return Due::Ping;
        }
        Due::Wait(
            [self.pong_by, self.assembled_by, ping_at]
                .into_iter()
                .flatten()
                .min(),
        )
    }

    /// When to ping next; not while a pong is awaited.
    fn ping_at(&self) -> Option<Duration> {
        if self.pong_by.is_some() {
            return None;
        }
        self.ping_interval
            .map(|interval| self.heard_at.saturating_add(interval))
    }
}
