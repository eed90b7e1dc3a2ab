#![no_main]
#[path = "../../kernel/tests/support/mod.rs"]
mod support;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| support::entries::intent(bytes));
