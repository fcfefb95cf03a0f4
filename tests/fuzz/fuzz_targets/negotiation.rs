//! Whether a request may open a WebSocket: wshub::fuzzing::negotiation.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| wshub::fuzzing::negotiation(data));
