// SPDX-License-Identifier: Apache-2.0
//! Another configuration while requests go on.

use crate::client::Request;
use crate::gate::{Gate, signal, verify};
use crate::load::Load;
use crate::scene::{Scene, hears, metric, replace, revision, until};
use std::collections::BTreeMap;
use std::time::Duration;

/// Reloads in CI; `PORTCULLIS_RELOADS=1000` is the whole promise.
const RELOADS_USUAL: u64 = 100;

/// Asks for a reload and waits for what comes of it.
pub(crate) fn hang_up(gate: &Gate) {
    let outcomes =
        || metric(gate, "portcullis_config_reloads_total") + metric(gate, "portcullis_config_rejected_total");
    let before = outcomes();
    signal(gate.pid(), "HUP");
    until("an answer to a hang-up", || outcomes() > before);
}

#[test]
fn f01_no_request_fails_over_many_reloads_and_each_sees_one_revision() {
    let reloads = std::env::var("PORTCULLIS_RELOADS").ok().and_then(|n| n.parse().ok()).unwrap_or(RELOADS_USUAL);
    let scene = Scene::new();
    scene.configure_rate(1_000_000);
    let gate = scene.start(&[]);
    let mut rate_of = BTreeMap::from([(revision(&gate), 1_000_000)]);
    let load = Load::start(6, gate.public, &scene.note("n-1"), Duration::from_millis(2));
    for round in 1..=reloads {
        let rate = 1_000_000 + u32::try_from(round % 2).unwrap();
        scene.configure_rate(rate);
        hang_up(&gate);
        if round <= 2 {
            rate_of.insert(revision(&gate), rate);
        }
    }
    let seen = load.end();
    assert_eq!(seen.failed, Vec::<String>::new(), "of {} answers", seen.answered.len());
    assert_eq!(metric(&gate, "portcullis_config_reloads_total"), reloads);
    assert!(seen.answered.len() > usize::try_from(reloads).unwrap() * 5, "{} answers: no load", seen.answered.len());
    assert_eq!(gate.terminate().0, Some(0));
    assert!(verify(&scene.file("data")).status.success());
    // The record names the revision whose limit the answer shows.
    let records: BTreeMap<String, String> = scene
        .trail()
        .iter()
        .filter_map(|entry| Some((entry["request"].as_str()?.to_owned(), entry["revision"].as_str()?.to_owned())))
        .collect();
    assert_eq!(rate_of.len(), 2, "two configurations are two revisions");
    for (id, policy) in &seen.answered {
        let rate = rate_of[&records[id]];
        assert!(policy.contains(&format!("q={rate};")), "{id}: {policy} under {}", records[id]);
    }
    let notes = scene.trail().iter().filter(|entry| entry["kind"] == "reloaded").count();
    assert_eq!(u64::try_from(notes).unwrap(), reloads, "every change of configuration is in the trail");
    println!("{reloads} reloads, {} answers, slowest {:?}", seen.answered.len(), seen.slowest);
}

#[test]
fn f01_a_reload_forgives_nobody_and_forgets_no_token() {
    let scene = Scene::new();
    scene.configure_rate(3);
    let gate = scene.start(&[]);
    let ask = || gate.send(&scene.note("n-1")).status;
    assert_eq!([ask(), ask(), ask(), ask()], [200, 200, 200, 429]);
    hang_up(&gate);
    assert_eq!(ask(), 429, "the same configuration again");
    // Something else changes: another operation's settings, and the order of the file.
    scene.configure(|text| {
        let text = text.replace("default: { rate: 1000000/min }", "other: { rate: 9/min }\n  default: { rate: 3/min }");
        text.replace(
            "getHealth: { touches: none }",
            "getHealth: { touches: none, limits: [{ rate: 5/s, by: [address] }] }",
        )
    });
    hang_up(&gate);
    assert_eq!(metric(&gate, "portcullis_config_rejected_total"), 0);
    assert_eq!(ask(), 429, "a plan that did not change keeps its counts");
    scene.configure_rate(4);
    hang_up(&gate);
    assert_eq!(ask(), 429, "what is used up of three is used up of four");
}

#[test]
fn f02_a_bad_file_changes_nothing_and_says_every_error_with_its_line() {
    let scene = Scene::new();
    let gate = scene.start(&[]);
    let before = revision(&gate);
    scene.configure(|text| text.replace("audience:", "audiense:").replace("rate: 1000000/min }", "rate: 0/min }"));
    hang_up(&gate);
    assert_eq!(metric(&gate, "portcullis_config_rejected_total"), 1);
    assert_eq!(revision(&gate), before);
    assert_eq!(gate.send(&scene.note("n-1")).status, 200);
    for words in ["audiense", "did you mean", "0/min", "portcullis.yaml:", &format!("revision {before} stays")] {
        hears(&gate, words);
    }
    let answer = gate.send(&scene.note("n-1"));
    assert_eq!(gate.terminate().0, Some(0));
    let trail = scene.trail();
    let note = trail.iter().find(|entry| entry["kind"] == "config_rejected").expect("the refusal is in the trail");
    assert_eq!(note["facts"]["revision"], before.as_str());
    assert!(note["facts"]["place"].as_str().unwrap().contains("portcullis.yaml:"), "{note}");
    assert!(trail.iter().any(|entry| entry["request"] == answer.id() && entry["revision"] == before.as_str()));
}

#[test]
fn f02_what_a_running_gateway_cannot_change_is_refused_with_what_to_do() {
    let scene = Scene::new();
    let gate = scene.start(&[]);
    let before = revision(&gate);
    for (from, to, words) in [
        ("public: { address: \"127.0.0.1:0\" }", "public: { address: \"127.0.0.1:1\" }", "listen.public.address"),
        ("admin: { address: \"127.0.0.1:0\" }", "admin: { address: off }", "listen.admin.address"),
        ("data: ./data", "data: ./elsewhere", "audit.directory"),
    ] {
        scene.configure(|text| {
            assert!(text.contains(from), "{from}");
            text.replace(from, to)
        });
        hang_up(&gate);
        assert_eq!(revision(&gate), before, "{to}");
        hears(&gate, &format!("`{words}` changes from"));
        hears(&gate, "help: put it back");
    }
    assert!(!scene.file("elsewhere").exists());
}

#[test]
fn f03_less_protection_is_told_and_nothing_at_all_is_refused() {
    let scene = Scene::new();
    let gate = scene.start(&[]);
    let health = Request::get("/health");
    assert_eq!(gate.send(&health).status, 401);
    let document = std::fs::read_to_string(scene.file("openapi.yaml")).unwrap();
    let open = document.replace("      operationId: getHealth\n", "      operationId: getHealth\n      security: []\n");
    replace(&scene.file("openapi.yaml"), open.as_bytes());
    hang_up(&gate);
    assert_eq!(gate.send(&health).status, 401, "the document alone opens nothing");
    hears(&gate, "weaker than before: notes#getHealth: scopes");
    scene.configure(|text| text.replace("getHealth: { touches: none }", "getHealth: { touches: none, public: true }"));
    hang_up(&gate);
    assert_eq!(gate.send(&health).status, 200, "{}", gate.said());
    hears(&gate, "weaker than before: notes#getHealth: anybody");
    let in_force = revision(&gate);
    scene.configure(|text| {
        text.replace("getHealth: { touches: none }", "getHealth: { exposed: false }\n      getNote: { exposed: false }")
    });
    hang_up(&gate);
    assert_eq!(revision(&gate), in_force, "{}", gate.said());
    assert_eq!(gate.terminate().0, Some(0));
    let trail = scene.trail();
    let weaker = trail.iter().filter(|entry| entry["kind"] == "reloaded" && entry["facts"]["weaker"] == 1).count();
    assert_eq!(weaker, 2, "the scope the document asked for, then the token: both stand in the trail");
}

#[test]
fn f05_a_file_that_is_written_slowly_is_read_when_it_is_whole() {
    use std::io::Write;
    let scene = Scene::new();
    let gate = scene.start(&["--watch"]);
    let before = revision(&gate);
    let text = scene.text(|text| text.replace("1000000/min }\nlimits", "77777/min }\nlimits"));
    // In place, in pieces, with pauses shorter than two looks.
    let mut file = std::fs::File::create(scene.file("portcullis.yaml")).unwrap();
    for piece in text.as_bytes().chunks(text.len() / 8) {
        file.write_all(piece).unwrap();
        file.sync_data().unwrap();
        std::thread::sleep(Duration::from_millis(150));
    }
    drop(file);
    until("the watched file is in force", || revision(&gate) != before);
    assert_eq!(metric(&gate, "portcullis_config_reloads_total"), 1, "{}", gate.said());
    assert_eq!(metric(&gate, "portcullis_config_rejected_total"), 0, "{}", gate.said());
    assert!(gate.send(&scene.note("n-1")).header("ratelimit-policy").unwrap().contains("q=77777;"));
    // Keys are part of what is watched.
    let same = std::fs::read(scene.file("keys.json")).unwrap();
    replace(&scene.file("keys.json"), &same);
    until("a changed key set is loaded", || metric(&gate, "portcullis_config_reloads_total") == 2);
}
