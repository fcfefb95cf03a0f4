//! Bodies of requests: wshub::fuzzing::body.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| wshub::fuzzing::body(data));
