// SPDX-License-Identifier: Apache-2.0
//! What a connection costs that waits for its next request. `cargo xtask idle` measures a release build with 2000 of
//! each kind; here fewer of them, in whatever build the tests run in, keep a wider bound.

use crate::peers::{python, scripts};
use crate::scene::{Scene, secured};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Bytes each kind may cost (DESIGN §10).
const BOUNDS: [(&str, u64); 3] = [("h1", 6 * 1024), ("h1+tls", 28 * 1024), ("h2+tls", 48 * 1024)];

/// When what a connection holds for its next request is given back, and a little.
const REST: Duration = Duration::from_millis(2_500);

/// Connections of a kind that idle until this is dropped.
struct Crowd(Child);

impl Crowd {
    fn gather(scene: &Scene, kind: &str, count: usize) -> Self {
        let mut child = Command::new(python())
            .arg(scripts().join("idle.py"))
            .args([&scene.gate.public.port().to_string(), kind, &count.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line.trim(), "idle", "{kind}");
        Self(child)
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().ok();
    }
}

fn scene(kind: &str) -> Scene {
    Scene::serving(([127, 0, 0, 1], 9).into(), |directory, text| {
        let wide = "  address_rate: 100000/s\n  connections: { per_address: 5000 }\n";
        let text = text.replace("  address_rate: 100000/s\n", wide);
        if kind == "h1" {
            return text;
        }
        secured(directory, &text)
    })
}

/// Bytes that each of so many connections of a kind adds to the resident set.
fn cost(kind: &str, count: usize) -> u64 {
    let scene = scene(kind);
    // What is only made once, and what the allocator keeps of what went before, is there already.
    drop(Crowd::gather(&scene, kind, 200));
    let as_many = Crowd::gather(&scene, kind, count);
    std::thread::sleep(REST);
    let before = scene.rss_kib();
    let crowd = Crowd::gather(&scene, kind, count);
    std::thread::sleep(REST);
    let grown = scene.rss_kib().saturating_sub(before);
    drop((as_many, crowd));
    grown * 1024 / count as u64
}

/// What is said of each kind, and whether each stays within so many percent of its bound.
fn measure(count: usize, percent: u64) -> (String, bool) {
    let costs = BOUNDS.map(|(kind, bound)| (kind, bound * percent / 100, cost(kind, count)));
    let said = costs.map(|(kind, bound, each)| format!("{kind:7} {each:6} bytes each, at most {bound}\n"));
    (said.concat(), costs.iter().all(|(_, bound, each)| each <= bound))
}

#[test]
fn pf_6_an_idle_connection_costs_little() {
    // Unoptimised, a smaller crowd, and a machine that does other things: the allocator has not given back everything.
    let (said, within) = measure(800, 200);
    println!("{said}");
    assert!(within, "{said}");
}

#[test]
#[ignore = "measures a release build, which `cargo xtask idle` makes and names"]
fn pf_6_figures() {
    let (said, within) = measure(2000, 100);
    println!("{said}");
    assert!(within, "{said}");
}
