// SPDX-License-Identifier: Apache-2.0
//! One binary for all targets: `FUZZ_TARGET` names the one to ask.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_fuzz::TARGETS;
use std::sync::LazyLock;

static ASK: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    let known = TARGETS.iter().find(|(target, _)| *target == name);
    known.map_or_else(|| panic!("FUZZ_TARGET names none of {:?}", TARGETS.map(|(target, _)| target)), |(_, ask)| *ask)
});

fuzz_target!(|bytes: &[u8]| (*ASK)(bytes));
