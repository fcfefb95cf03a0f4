//! Request heads: wshub::fuzzing::head.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| wshub::fuzzing::head(data));
