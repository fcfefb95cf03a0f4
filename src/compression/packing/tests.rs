//! What is compressed, how often, and with which of the compressors.

use super::super::spares::MOST;
use super::*;
use crate::message::Prepared;

fn packing(window_bits: u8) -> Packing {
    Packing {
        window_bits,
        context_takeover: false,
        level: 6,
        threshold: 10,
    }
}

fn inflated(packed: &[u8]) -> Vec<u8> {
    let mut inflater = Inflater::new(None, 1 << 20);
    inflater.begin();
    inflater.push(packed).unwrap();
    inflater.finish().unwrap();
    inflater.output().to_vec()
}

#[test]
fn a_broadcast_is_compressed_once_for_each_window() {
    let prepared = Prepared::new("x".repeat(1_000));
    let form = |bits| Some(packing(bits));
    let first = prepared.frame_as(form(15));
    assert!(first.len() < 50 && first[0] == 0xC1);
    let clone = prepared.clone();
    assert!(std::ptr::eq(clone.frame_as(form(15)), first));
    let other = prepared.frame_as(form(9));
    assert!(!std::ptr::eq(other, first) && inflated(&other[2..]) == [b'x'; 1_000]);
    assert!(std::ptr::eq(prepared.frame_as(None), prepared.frame()));
}

#[test]
fn what_is_short_or_does_not_shrink_or_must_not_stays_plain() {
    let plain =
        |prepared: Prepared| std::ptr::eq(prepared.frame_as(Some(packing(15))), prepared.frame());
    assert!(plain(Prepared::new("x".repeat(9))));
    assert!(plain(Prepared::new("0123456789abcdef")));
    assert!(plain(Prepared::uncompressed("x".repeat(1_000))));
    assert!(!plain(Prepared::new("x".repeat(1_000))));
}

/// They are shared by the whole process, so this is the only test that looks at them.
#[test]
fn x04_spare_compressors_are_few() {
    std::thread::scope(|scope| {
        for n in 0..20u8 {
            scope.spawn(move || {
                for round in 0..20 {
                    let message = vec![b'a' + n; 500 + round];
                    let packed = packing(9 + n % 7).pack(&message).unwrap();
                    assert_eq!(inflated(&packed), message);
                }
            });
        }
    });
    assert!(SPARES.len() <= MOST);
}

#[test]
fn with_a_window_that_is_too_small_nothing_is_compressed() {
    let direction = |window_bits| Direction {
        context_takeover: true,
        window_bits,
    };
    assert!(Packing::new(direction(8), 0, 6).is_none());
    assert!(Packing::new(direction(9), 0, 6).is_some_and(|packing| packing.keeps_context()));
}

#[test]
fn a_context_goes_with_its_connection() {
    let packing = Packing {
        context_takeover: true,
        ..packing(15)
    };
    let mut context = Context::new(Some(packing));
    let first = context.pack(&[b'x'; 100]).unwrap().len();
    assert!(context.own.is_some() && context.pack(&[b'x'; 100]).unwrap().len() < first);
    context.forget();
    assert!(context.own.is_none());
}
