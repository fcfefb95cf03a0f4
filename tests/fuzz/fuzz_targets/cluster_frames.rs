//! Frames between the nodes of a cluster: wshub::fuzzing::cluster_frames.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| wshub::fuzzing::cluster_frames(data));
