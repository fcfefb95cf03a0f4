//! The system's clock, for answers that say when they were made.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::http::date::Date;

/// The beginning of 2025. A clock that is behind it was never set, as on a device without a battery.
const SET: Duration = Duration::from_secs(1_735_689_600);

/// The time of now; `None` where nobody knows it, and then RFC 9110 6.6.1 forbids to say one.
pub(crate) fn date() -> Option<Date> {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    if since_1970 < SET {
        return None;
    }
    Date::new(since_1970)
}
