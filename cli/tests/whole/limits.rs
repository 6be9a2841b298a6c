// SPDX-License-Identifier: Apache-2.0
//! Limits of an operation, keyed by what stands in its body.

use crate::client::{Answer, Request};
use crate::gate::Gate;
use std::sync::Arc;

fn log_in(gate: &Gate, name: &str) -> Answer {
    gate.send(&Request::new("POST", "/login").json(&format!(r#"{{"username":"{name}","password":"guess"}}"#)))
}

#[test]
fn api2_1_guesses_for_one_user_name_are_limited_in_every_spelling() {
    let gate = Gate::demo();
    for name in ["mallory", "Mallory", " mallory ", "MALLORY", "\\u006dallory"] {
        assert_eq!(log_in(&gate, name).status, 401, "{name}");
    }
    // Full-width letters are the same name to a person, and to NFKC.
    let refused = log_in(&gate, "\u{ff4d}allory");
    assert_eq!(refused.status, 429, "{refused:?}");
    assert_eq!(refused.json()["violated-policies"][0], "login");
    assert!(refused.header("retry-after").unwrap().parse::<u64>().unwrap() >= 60, "{refused:?}");
    assert_eq!(gate.explain(refused.id())["reason"], "limit.rate");
    assert_eq!(log_in(&gate, "trent").status, 401, "another name is not limited with it");
}

#[test]
fn t120_a_burst_of_threads_is_admitted_exactly_to_the_limit() {
    let gate = Arc::new(Gate::demo());
    let request = Request::get("/orders/ord-4").bearer(&gate.token("carol"));
    let threads: Vec<_> = (0..24)
        .map(|_| {
            let (gate, request) = (Arc::clone(&gate), request.clone());
            std::thread::spawn(move || gate.send(&request).status)
        })
        .collect();
    let statuses: Vec<u16> = threads.into_iter().map(|t| t.join().unwrap()).collect();
    assert_eq!(statuses.iter().filter(|s| **s == 200).count(), 5, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|s| **s == 429).count(), 19, "{statuses:?}");
}
