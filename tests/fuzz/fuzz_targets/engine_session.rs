//! What happens to a session of Engine.IO: wshub::fuzzing::engine_session.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| wshub::fuzzing::engine_session(data));
