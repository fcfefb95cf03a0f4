//! Packets of Socket.IO: wshub::fuzzing::socketio_packets.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| wshub::fuzzing::socketio_packets(data));
