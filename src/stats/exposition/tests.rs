use std::time::Duration;

use crate::stats::{Counters, Stats};

fn stats() -> Stats {
    let counters = Counters::default();
    counters.received(3, 40);
    counters.refuse("origin");
    counters.refuse("origin");
    counters.handshake_time.record(Duration::from_millis(2));
    counters.snapshot()
}

#[test]
fn a_counter_is_announced_as_its_format_wants_it() {
    let open = stats().openmetrics();
    assert!(
        open.contains("# TYPE wshub_messages_received counter\nwshub_messages_received_total 3\n")
    );
    assert!(open.ends_with("# EOF\n"));
    let old = stats().prometheus();
    assert!(
        old.contains("# TYPE wshub_received_bytes_total counter\nwshub_received_bytes_total 40\n")
    );
    assert!(!old.contains("# EOF"));
}

#[test]
fn refusals_are_counted_by_reason() {
    let text = stats().openmetrics();
    assert!(text.contains("\nwshub_connections_refused_total{reason=\"origin\"} 2\n"));
}

#[test]
fn a_histogram_has_classes_a_sum_and_a_count() {
    let text = stats().prometheus();
    for line in [
        "# TYPE wshub_handshake_seconds histogram",
        "wshub_handshake_seconds_bucket{le=\"0.001\"} 0",
        "wshub_handshake_seconds_bucket{le=\"0.005\"} 1",
        "wshub_handshake_seconds_bucket{le=\"10.0\"} 1",
        "wshub_handshake_seconds_bucket{le=\"+Inf\"} 1",
        "wshub_handshake_seconds_sum 0.002",
        "wshub_handshake_seconds_count 1",
    ] {
        assert!(text.lines().any(|it| it == line), "{line} in {text}");
    }
}

/// Every name is described once, before its values, in both formats.
#[test]
fn every_value_has_its_description() {
    for text in [stats().openmetrics(), stats().prometheus()] {
        let mut described = Vec::new();
        for line in text.lines().filter(|line| *line != "# EOF") {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').unwrap();
                assert!(help.ends_with('.') && !described.contains(&name));
                described.push(name);
            } else if !line.starts_with('#') {
                let latest = described.last().unwrap();
                assert!(line.starts_with(latest), "{line} behind {latest}");
            }
        }
        assert!(described.len() > 20);
    }
}
