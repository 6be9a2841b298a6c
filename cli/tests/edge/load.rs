// SPDX-License-Identifier: Apache-2.0
//! HTTP/2 in the clear from a client of other people, many streams on many connections: nothing is lost.

use crate::gate::Gate;
use crate::origin::echo;
use crate::stand::Stand;
use std::process::Command;

const REQUESTS: usize = 2_000;

#[test]
fn h2load_gets_every_answer_over_http2_in_the_clear() {
    if Command::new("h2load").arg("--version").output().is_err() {
        println!("not run: h2load_gets_every_answer_over_http2_in_the_clear (h2load is not installed)");
        return;
    }
    let words = [("hosts: [edge.example.com]", "hosts: [edge.example.com, localhost]")];
    let stand = Stand::prepared(echo, &words, Gate::configured);
    let url = format!("http://localhost:{}/v1/items/1", stand.gate.public.port());
    let load = Command::new("h2load")
        .args(["-n", &REQUESTS.to_string(), "-c", "10", "-m", "20", "-T", "20", &url])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&load.stdout).into_owned();
    assert!(load.status.success(), "{said}");
    let told = format!("{REQUESTS} done, {REQUESTS} succeeded, 0 failed, 0 errored, 0 timeout");
    assert!(said.contains(&told), "{said}");
    assert!(said.contains(&format!("status codes: {REQUESTS} 2xx")), "{said}");
    assert!(said.contains("Application protocol: h2c"), "{said}");
    // Each was asked of the origin once.
    assert_eq!(stand.origin.take().len(), REQUESTS);
}
