//! Any bytes as a region: header, directory, schemas, records, and every end attached to what opens.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run open`; the campaign `open-bytes` does the same with mutations of its own, on any compiler.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| airssys_campaign::open_any(bytes));
