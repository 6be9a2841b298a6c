// SPDX-License-Identifier: Apache-2.0
//! Every target over what fuzzing found worth keeping, and over what is near to it.

#![expect(clippy::panic, clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use portcullis_fuzz::TARGETS;
use proptest::prelude::*;
use std::path::Path;

/// The inputs kept for a target.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|entry| std::fs::read(entry.unwrap().path()).unwrap()).collect()
}

fn replay(name: &str) {
    let (_, ask) = TARGETS.iter().find(|(target, _)| *target == name).unwrap();
    let inputs = corpus(name);
    assert!(inputs.len() >= 10, "{name}: {} inputs are no corpus", inputs.len());
    for input in &inputs {
        ask(input);
        // Whatever ends early, and whatever has one byte too many.
        for end in 0..input.len().min(300) {
            ask(&input[..end]);
        }
        ask(&[input.as_slice(), b"\0"].concat());
    }
}

macro_rules! replayed {
    ($($test:ident: $target:literal),+ $(,)?) => {
        $(#[test]
        fn $test() {
            replay($target);
        })+
    };
}

replayed! {
    z1_heads_that_were_found_have_one_reading: "z1",
    z2_chunked_bodies_that_were_found_have_one_reading: "z2",
    z3_frames_that_were_found_are_judged_alike: "z3",
    z4_paths_that_were_found_are_their_own_canonical_form: "z4",
    z5_queries_that_were_found_are_read_within_bounds: "z5",
    z6_fields_that_were_found_keep_nothing_reserved: "z6",
    z7_documents_that_were_found_keep_their_bytes: "z7",
    t18_answers_that_were_found_have_one_reading: "answers",
    t128_frames_that_were_found_pass_alike: "websocket",
}

/// An input of the corpus with a few bytes changed, taken out or repeated.
fn bent(target: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), any::<u8>(), 0..3_u8);
    (prop::sample::select(corpus(target)), prop::collection::vec(change, 0..5)).prop_map(|(mut bytes, changes)| {
        for (at, byte, how) in changes {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, byte),
            }
        }
        bytes
    })
}

#[test]
fn z1_to_z7_inputs_near_to_the_corpus_keep_every_promise() {
    for (target, ask) in TARGETS {
        proptest!(ProptestConfig::with_cases(500), |(bytes in bent(target))| ask(&bytes));
    }
}
