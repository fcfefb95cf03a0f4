//! A peer's bytes into a whole server: wshub::fuzzing::session.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| wshub::fuzzing::session(data));
