// SPDX-License-Identifier: Apache-2.0
//! Loads a document and tells the time and the memory it took, and what is doubtful in it:
//! `cargo run --release -p portcullis-contract --example load -- FILE [--findings] [--compile]`.
#![expect(clippy::print_stdout, reason = "an example speaks on stdout")]

use portcullis_contract::{LoadOptions, Source, load};
use portcullis_decision::{Clock, SystemClock};
use std::collections::BTreeMap;

/// Resident memory in KiB.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap_or("0");
    line.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0)
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let Some(file) = arguments.next() else {
        println!("usage: load FILE [--findings] [--compile]");
        return;
    };
    let words: Vec<String> = arguments.collect();
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) => {
            println!("{file}: {error}");
            return;
        }
    };
    let clock = SystemClock::new();
    let before = resident_kib();
    let began = clock.monotonic();
    let directory = std::path::Path::new(&file).parent().map(std::path::Path::to_path_buf).unwrap_or_default();
    let files = |name: &str| std::fs::read_to_string(directory.join(name)).map_err(|e| e.to_string());
    let source = Source { name: file.as_str().into(), text };
    let contract = match load(source, &LoadOptions::default(), &files) {
        Ok(contract) => contract,
        Err(findings) => {
            for finding in findings {
                println!("{finding}");
            }
            return;
        }
    };
    let took = clock.monotonic().saturating_sub(began);
    let served = contract.operations.iter().filter(|o| o.is_served()).count();
    println!(
        "{file}: {} operations, {served} served, {} schemas, {} ms, RSS {} KiB (before {before} KiB)",
        contract.operations.len(),
        contract.shapes().len(),
        took.as_millis(),
        resident_kib(),
    );
    let mut weights: BTreeMap<&str, usize> = BTreeMap::new();
    contract.findings.iter().for_each(|f| *weights.entry(f.severity.word()).or_default() += 1);
    println!("findings: {weights:?}");
    if words.iter().any(|w| w == "--findings") {
        contract.findings.iter().filter(|f| f.severity.word() != "info").for_each(|f| println!("{f}"));
    }
    if words.iter().any(|w| w == "--compile") {
        let bodies = contract.operations.iter().flat_map(|o| o.body.iter().flat_map(|b| &b.media));
        let answers = contract.operations.iter().flat_map(|o| o.responses.iter().flat_map(|r| &r.media));
        let probe = serde_json::json!({});
        let began = clock.monotonic();
        let mut count = 0;
        for validator in bodies.chain(answers).filter_map(|m| m.validator.as_ref()) {
            let _ = validator.is_valid(&probe);
            count += 1;
        }
        let took = clock.monotonic().saturating_sub(began);
        println!("{count} validators used once: {} ms, RSS {} KiB", took.as_millis(), resident_kib());
    }
}
