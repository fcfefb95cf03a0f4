//! The time of an answer, as its Date header says it (RFC 9110 5.6.7).

use core::fmt;
use core::time::Duration;

/// The last second that four digits of a year can say.
const LATEST: u64 = 253_402_300_799;
const DAY: u64 = 24 * 60 * 60;
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// A second in UTC. Its `Display` is an IMF-fixdate: `Sun, 06 Nov 1994 08:49:37 GMT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Date {
    /// Since the beginning of 1970, without leap seconds.
    seconds: u64,
}

impl Date {
    /// The second this long after the beginning of 1970; `None` beyond the year 9999.
    pub(crate) fn new(since_1970: Duration) -> Option<Self> {
        let seconds = since_1970.as_secs();
        (seconds <= LATEST).then_some(Self { seconds })
    }

    /// An IMF-fixdate, as each server has to write it (RFC 9110 5.6.7); `None` for anything else.
    #[cfg(feature = "client")]
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let text = core::str::from_utf8(text).ok()?;
        let mut words = text.split([' ', ':']);
        let number = |at: usize| words.clone().nth(at)?.parse::<u64>().ok();
        let (day, year) = (number(1)?, number(3)?);
        let time = [number(4)?, number(5)?, number(6)?];
        let month = words.nth(2)?;
        let month = MONTHS.iter().position(|name| *name == month)?;
        let days = days_until(year, month)?.checked_add(day.checked_sub(1)?)?;
        let seconds = time
            .into_iter()
            .fold(0, |sum, part| 60 * sum + part.min(60));
        let date = Self::new(Duration::from_secs(
            days.checked_mul(DAY)?.checked_add(seconds)?,
        ))?;
        // The one way to write it: names, digits and what does not exist.
        (date.to_string() == text).then_some(date)
    }

    /// How long after another one it is; zero if it is before.
    #[cfg(feature = "client")]
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_secs(self.seconds.saturating_sub(earlier.seconds))
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = self.seconds / DAY;
        let (year, month, day) = calendar(days);
        let weekday = WEEKDAYS[(days % 7) as usize];
        let month = MONTHS[month];
        let second = self.seconds % DAY;
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(
            f,
            "{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT"
        )
    }
}

/// Year, month from 0 and day from 1 of a day, counted from the beginning of 1970.
fn calendar(mut days: u64) -> (u64, usize, u64) {
    // 400 years have 146,097 days, whichever they are.
    let mut year = 1970 + 400 * (days / 146_097);
    days %= 146_097;
    while days >= days_of_year(year) {
        days -= days_of_year(year);
        year += 1;
    }
    let mut month = 0;
    while days >= days_of_month(year, month) {
        days -= days_of_month(year, month);
        month += 1;
    }
    (year, month, days + 1)
}

/// From the beginning of 1970 to a month of a year.
#[cfg(feature = "client")]
fn days_until(year: u64, month: usize) -> Option<u64> {
    let years = (1970..=9999).contains(&year).then_some(1970..year)?;
    let months = (0..month).map(|month| days_of_month(year, month));
    Some(years.map(days_of_year).sum::<u64>() + months.sum::<u64>())
}

fn days_of_year(year: u64) -> u64 {
    365 + u64::from(is_leap(year))
}

fn days_of_month(year: u64, month: usize) -> u64 {
    match month {
        1 => 28 + u64::from(is_leap(year)),
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    }
}

fn is_leap(year: u64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

#[cfg(test)]
mod tests;
