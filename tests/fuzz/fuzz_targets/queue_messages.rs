//! Messages of the queue of python-socketio: wshub::fuzzing::queue_messages.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| wshub::fuzzing::queue_messages(data));
