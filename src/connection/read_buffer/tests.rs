//! How the buffer grows and shrinks, and that it keeps what is not taken yet.

use super::*;
use std::io::Read;

fn read(buffer: &mut ReadBuffer, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        buffer.fill(|room| bytes.read(room)).unwrap();
    }
}

fn take_all(buffer: &mut ReadBuffer) {
    buffer.discard(buffer.len());
    buffer.keep(0..0);
}

#[test]
fn f06_at_most_twice_what_arrived_is_allocated() {
    let mut buffer = ReadBuffer::default();
    for _ in 0..10_000 {
        read(&mut buffer, &[7; 100]);
        assert!(buffer.room_len() <= 2 * buffer.len() + 4096);
    }
}

/// Messages of every size, taken where they are whole: no byte is lost, doubled or out of place.
#[test]
fn what_is_kept_stays_in_order_wherever_it_lies() {
    let (mut buffer, mut sent, mut taken) = (ReadBuffer::default(), 0u32, 0u32);
    for round in 0..3_000usize {
        let len = [40, 1_000, 9_000, 60_000][round % 4] + 4 * (round % 7);
        let words = sent..sent + len as u32 / 4;
        sent = words.end;
        read(
            &mut buffer,
            &words.flat_map(u32::to_be_bytes).collect::<Vec<_>>(),
        );
        let unit = [20, 30_000, 200_000][round / 40 % 3];
        while buffer.filled().len() >= unit {
            for word in buffer.filled()[..unit].chunks(4) {
                assert_eq!(word, taken.to_be_bytes());
                taken += 1;
            }
            buffer.discard(unit);
        }
        let header = buffer.filled().len().min(4);
        taken += header as u32 / 4;
        let kept = buffer.filled().len();
        buffer.keep(header..kept);
    }
    assert!(taken > 10_000_000);
}

#[test]
fn a_burst_at_an_idle_connection_is_taken_in_two_reads() {
    let mut buffer = ReadBuffer::default();
    let mut burst: &[u8] = &[7; GROWN - 1];
    buffer.fill(|room| burst.read(room)).unwrap();
    assert!(buffer.is_filled_up());
    buffer.fill(|room| burst.read(room)).unwrap();
    assert_eq!((buffer.len(), buffer.is_filled_up()), (GROWN - 1, false));
}

#[test]
fn a_stream_of_small_messages_is_taken_in_large_reads() {
    let mut buffer = ReadBuffer::default();
    for _ in 0..20 {
        read(&mut buffer, &[7; 60 << 10]);
        take_all(&mut buffer);
    }
    assert_eq!(buffer.room_len(), LARGEST_READ);
}

#[test]
fn what_a_long_message_needed_goes_while_short_ones_follow() {
    let mut buffer = ReadBuffer::default();
    for _ in 0..20 {
        read(&mut buffer, &[7; 60 << 10]);
    }
    assert!(buffer.room_len() > 1 << 20);
    for _ in 0..20 {
        take_all(&mut buffer);
        read(&mut buffer, b"short");
    }
    assert!(buffer.room_len() <= LARGEST_READ);
}

#[test]
fn a_stream_of_long_messages_keeps_its_buffer() {
    let mut buffer = ReadBuffer::default();
    for _ in 0..40 {
        for _ in 0..3 {
            read(&mut buffer, &[7; 60 << 10]);
        }
        take_all(&mut buffer);
    }
    assert!(buffer.room_len() > LARGEST_READ);
}
