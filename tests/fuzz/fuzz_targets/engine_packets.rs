//! Payloads of Engine.IO: wshub::fuzzing::engine_packets.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| wshub::fuzzing::engine_packets(data));
