//! Fuzzes `properties::telemetry`.

#![no_main]

#[path = "../properties.rs"]
#[expect(dead_code, reason = "each target runs one of them")]
mod properties;

libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::telemetry(data));
