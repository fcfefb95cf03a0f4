//! What proxies say of their clients: wshub::fuzzing::proxied.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| wshub::fuzzing::proxied(data));
