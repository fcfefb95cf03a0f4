//! Known dates, and each day against the one before.

use super::*;

fn date(seconds: u64) -> Option<String> {
    Date::new(Duration::from_secs(seconds)).map(|date| date.to_string())
}

/// As `date -u -d @SECONDS` says them.
#[test]
fn known_dates() {
    for (seconds, said) in [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (59, "Thu, 01 Jan 1970 00:00:59 GMT"),
        (86_399, "Thu, 01 Jan 1970 23:59:59 GMT"),
        (86_400, "Fri, 02 Jan 1970 00:00:00 GMT"),
        // A leap year, though not by the rule of 100.
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT"),
        // The example of RFC 9110 5.6.7.
        (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (1_709_164_799, "Wed, 28 Feb 2024 23:59:59 GMT"),
        (1_709_164_800, "Thu, 29 Feb 2024 00:00:00 GMT"),
        (1_735_689_599, "Tue, 31 Dec 2024 23:59:59 GMT"),
        (1_735_689_600, "Wed, 01 Jan 2025 00:00:00 GMT"),
        (1_740_787_199, "Fri, 28 Feb 2025 23:59:59 GMT"),
        (1_740_787_200, "Sat, 01 Mar 2025 00:00:00 GMT"),
        (2_147_483_648, "Tue, 19 Jan 2038 03:14:08 GMT"),
        // No leap year.
        (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"),
        (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        (13_574_563_200, "Tue, 29 Feb 2400 00:00:00 GMT"),
        (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
    ] {
        assert_eq!(date(seconds).as_deref(), Some(said), "{seconds}");
        #[cfg(feature = "client")]
        assert_eq!(
            Date::parse(said.as_bytes()),
            Date::new(Duration::from_secs(seconds))
        );
    }
}

#[test]
fn a_year_has_four_digits() {
    assert_eq!(date(LATEST + 1), None);
    assert_eq!(date(u64::MAX), None);
    assert_eq!(Date::new(Duration::MAX), None);
}

/// For more than 400 years, after which everything is as it was.
#[test]
fn each_day_follows_the_one_before() {
    let mut before = calendar(0);
    assert_eq!(before, (1970, 0, 1));
    for day in 1..150_000 {
        let (year, month, of_month) = calendar(day);
        let next = match before {
            (y, m, d) if (year, month) == (y, m) => of_month == d + 1,
            (y, m, d) if year == y => month == m + 1 && of_month == 1 && d >= 28,
            (y, m, d) => (year, month, of_month, m, d) == (y + 1, 0, 1, 11, 31),
        };
        assert!(next, "{before:?}, then {year} {month} {of_month}");
        before = (year, month, of_month);
    }
    assert_eq!(before.0, 2380);
}

#[cfg(feature = "client")]
#[test]
fn what_is_no_date_is_none() {
    for text in [
        "",
        "120",
        "Mon, 06 Nov 1994 08:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Fri, 30 Feb 2024 08:49:37 GMT",
        "Sun, 06 Nov 1869 08:49:37 GMT",
        "Sun, 06 Nov 18446744073709551615 08:49:37 GMT",
        "Sun, 18446744073709551615 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
    ] {
        assert_eq!(Date::parse(text.as_bytes()), None, "{text}");
    }
    assert_eq!(Date::parse(b"\xff"), None);
    let (early, late) = (
        Date::new(Duration::from_secs(10)),
        Date::new(Duration::from_secs(70)),
    );
    let (early, late) = (early.unwrap(), late.unwrap());
    assert_eq!(late.since(early), Duration::from_secs(60));
    assert_eq!(early.since(late), Duration::ZERO);
}
