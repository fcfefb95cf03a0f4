//! A time in eight bytes. A `Duration` takes sixteen, and every idle connection holds several.

use core::num::NonZeroU64;
use core::time::Duration;

/// Nanoseconds, up to 584 years: a longer time counts as that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Nanos {
    /// One more than they are, so that an `Option` takes no more.
    and_one: NonZeroU64,
}

impl Nanos {
    #[inline]
    pub fn saturating_add(self, time: Duration) -> Nanos {
        let nanos = Nanos::from(time).and_one.get() - 1;
        Nanos {
            and_one: self.and_one.saturating_add(nanos),
        }
    }
}

impl From<Duration> for Nanos {
    #[inline]
    fn from(time: Duration) -> Self {
        let seconds = time.as_secs().saturating_mul(1_000_000_000);
        let nanos = seconds.saturating_add(time.subsec_nanos().into());
        Nanos {
            and_one: NonZeroU64::MIN.saturating_add(nanos),
        }
    }
}

impl From<Nanos> for Duration {
    #[inline]
    fn from(nanos: Nanos) -> Self {
        Duration::from_nanos(nanos.and_one.get() - 1)
    }
}
