//! Lines that wait for their thread, or find none.

use std::time::{Duration, Instant};

use super::*;

/// No logger is set: what is written is gone.
fn line() -> Option<Line> {
    Some(Line::new(log::Level::Info, "wshub", "a line".to_owned()))
}

fn late() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

#[test]
fn what_waits_is_written_before_the_thread_ends() {
    let threads = ServerThreads::new(1, 128 << 10);
    let log_writer = LogWriter::new(threads.clone());
    for _ in 0..10 * MOST {
        log_writer.write(line());
    }
    log_writer.stop();
    assert_eq!(threads.wait(|| 0, late()), 0);
    assert!(lock(&log_writer.queue).lines.is_empty());
}

#[test]
fn without_a_line_there_is_no_thread() {
    let threads = ServerThreads::new(1, 128 << 10);
    let log_writer = LogWriter::new(threads.clone());
    log_writer.write(None);
    assert_eq!(threads.count(), 0);
    log_writer.stop();
    assert_eq!(threads.wait(|| 0, late()), 0);
}

#[test]
fn where_no_thread_is_to_be_had_the_line_is_written_at_once() {
    let threads = ServerThreads::new(0, 128 << 10);
    let log_writer = LogWriter::new(threads);
    for _ in 0..2 {
        log_writer.write(line());
        assert!(lock(&log_writer.queue).lines.is_empty());
    }
}

#[test]
fn m01_lines_that_wait_are_bounded_and_those_left_out_are_counted() {
    let log_writer = LogWriter::new(ServerThreads::new(1, 128 << 10));
    // Its thread is busy.
    lock(&log_writer.queue).has_thread = true;
    for _ in 0..MOST + 7 {
        log_writer.write(line());
    }
    assert_eq!(lock(&log_writer.queue).lines.len(), MOST);
    assert!(matches!(log_writer.next(), Some((_, 7))));
    assert!(matches!(log_writer.next(), Some((_, 0))));
}
