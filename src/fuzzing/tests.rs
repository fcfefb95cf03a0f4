//! The corpus of the fuzzers, replayed.

use super::*;
use std::fs;
use std::path::Path;

/// Seeds, and whatever was ever found.
fn replay(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    let mut files: Vec<_> = fs::read_dir(folder.join(target))
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() >= 10, "{target} has lost its seeds");
    for file in files {
        // Shown where a test fails.
        println!("{}", file.display());
        check(&fs::read(file).unwrap());
    }
}

#[test]
fn corpus_of_bodies() {
    replay("body", body);
}

#[cfg(feature = "redis")]
#[test]
fn corpus_of_frames_of_clusters() {
    replay("cluster_frames", cluster_frames);
}

#[cfg(all(feature = "redis", feature = "socketio"))]
#[test]
fn corpus_of_messages_of_python() {
    replay("queue_messages", queue_messages);
}

#[test]
fn corpus_of_heads() {
    replay("head", head);
}

#[test]
fn corpus_of_negotiations() {
    replay("negotiation", negotiation);
}

#[test]
fn corpus_of_what_proxies_say() {
    replay("proxied", proxied);
}

#[test]
fn corpus_of_frames() {
    replay("receiver", receiver);
}

#[test]
fn corpus_of_sessions() {
    replay("session", session);
}

#[cfg(feature = "socketio")]
#[test]
fn corpus_of_socketio() {
    replay("engine_packets", engine_packets);
    replay("engine_session", engine_session);
    replay("socketio_packets", socketio_packets);
}

#[cfg(feature = "socketio")]
#[test]
fn whatever_happens_a_session_of_engine_io_loses_nothing_and_ends_once() {
    let test = "--lib whatever_happens_a_session_of_engine_io";
    crate::seeded::for_each_seed(test, 2, std::time::Duration::from_secs(2), |seed| {
        let mut random = crate::seeded::Random::new(seed);
        let data: Vec<u8> = (0..400).map(|_| random.below(256) as u8).collect();
        engine_session(&data);
    });
}

#[test]
fn pieces_make_up_the_whole() {
    let data: Vec<u8> = (0..10_000).map(|n| (n % 251) as u8).collect();
    assert_eq!(pieces(&data).concat(), data);
    assert!(pieces(&data).len() > 2);
}
