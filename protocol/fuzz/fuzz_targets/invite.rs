#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| roda_protocol_fuzz::invite(bytes));
