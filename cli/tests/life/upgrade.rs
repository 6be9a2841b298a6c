// SPDX-License-Identifier: Apache-2.0
//! Another process goes on with the sockets: nothing is refused, nothing is reset, the trail is one.

use crate::client::Request;
use crate::gate::{BINARY, Gate, command, verify};
use crate::load::Load;
use crate::scene::{Scene, hears};
use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

/// Hand-overs in CI; `PORTCULLIS_UPGRADES=200` is the whole promise.
const UPGRADES_USUAL: usize = 20;

/// How long connections waited, as the new process says.
fn waited_ms(gate: &Gate) -> u64 {
    hears(gate, "took over: connections waited ");
    let said = gate.said();
    let line = said.lines().find_map(|line| line.strip_prefix("took over: connections waited ")).expect("it took over");
    line.trim_end_matches(" ms").parse().unwrap()
}

#[test]
fn f06_many_upgrades_refuse_and_reset_nothing_and_the_trail_is_one() {
    let upgrades = std::env::var("PORTCULLIS_UPGRADES").ok().and_then(|n| n.parse().ok()).unwrap_or(UPGRADES_USUAL);
    let scene = Scene::new();
    let mut gate = scene.start(&[]);
    let load = Load::start(6, gate.public, &scene.note("n-1"), Duration::from_millis(2));
    let mut longest_ms = 0;
    for round in 0..upgrades {
        let next = scene.start(&["--take-over"]);
        assert_eq!((next.public, next.admin), (gate.public, gate.admin));
        assert_eq!(gate.wait(), Some(0), "round {round}");
        gate = next;
        longest_ms = longest_ms.max(waited_ms(&gate));
    }
    let seen = load.end();
    assert_eq!(seen.failed, Vec::<String>::new(), "of {} answers", seen.answered.len());
    assert!(seen.answered.len() > upgrades * 50, "{} answers: no load", seen.answered.len());
    assert!(longest_ms <= 1_000, "connections waited {longest_ms} ms");
    assert_eq!(gate.terminate().0, Some(0));
    assert!(verify(&scene.file("data")).status.success());
    let trail = scene.trail();
    let recorded: BTreeSet<&str> = trail.iter().filter_map(|entry| entry["request"].as_str()).collect();
    for (id, _) in &seen.answered {
        assert!(recorded.contains(id.as_str()), "{id} was answered and is not in the trail");
    }
    assert_eq!(trail.iter().filter(|entry| entry["kind"] == "handed_over").count(), upgrades);
    println!("{upgrades} upgrades, {} answers, longest wait {longest_ms} ms", seen.answered.len());
}

#[test]
fn f06_what_is_under_way_is_answered_by_the_process_that_began_it() {
    let scene = Scene::new();
    let gate = scene.start(&[]);
    let request = scene.note("slow-1");
    let to = gate.public;
    let slow = std::thread::spawn(move || request.try_send(to).map(|answer| answer.status));
    std::thread::sleep(Duration::from_millis(200));
    let next = scene.start(&["--take-over"]);
    assert_eq!(slow.join().unwrap().unwrap(), 200);
    assert_eq!(gate.wait(), Some(0));
    assert_eq!(next.send(&scene.note("n-1")).status, 200);
}

#[test]
fn f06_a_process_that_cannot_go_on_changes_nothing() {
    let scene = Scene::new();
    let nobody = command(scene.directory(), &["run", "-c", "portcullis.yaml", "--take-over"]);
    assert_eq!(nobody.status.code(), Some(3), "{}", String::from_utf8_lossy(&nobody.stderr));
    let gate = scene.start(&[]);
    scene.configure(|text| text.replace("audience:", "audiense:"));
    let broken = command(scene.directory(), &["run", "-c", "portcullis.yaml", "--take-over"]);
    assert_eq!(broken.status.code(), Some(3));
    scene.configure(|text| text.replace("127.0.0.1:0\" }\n  admin", "127.0.0.1:1\" }\n  admin"));
    let elsewhere = command(scene.directory(), &["run", "-c", "portcullis.yaml", "--take-over"]);
    let said = String::from_utf8_lossy(&elsewhere.stderr);
    assert!(elsewhere.status.code() == Some(3) && said.contains("listen.public.address"), "{said}");
    scene.configure(|text| text);
    let second = command(scene.directory(), &["run", "-c", "portcullis.yaml"]);
    assert_eq!(second.status.code(), Some(3), "a second one over the same trail does not start");
    assert_eq!(gate.send(&scene.note("n-1")).status, 200);
    let next = scene.start(&["--take-over"]);
    assert_eq!(gate.wait(), Some(0), "and a good one still can");
    assert_eq!(next.send(&scene.note("n-1")).status, 200);
}

/// Opens sockets as a service manager does and becomes the gate.
const ACTIVATE: &str = r#"
import os, socket, sys
kept = []
for number in range(int(sys.argv[1])):
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    kept.append(listener)
for number, listener in enumerate(kept):
    os.dup2(listener.fileno(), 13 + number)
for number in range(len(kept)):
    os.dup2(13 + number, 3 + number, inheritable=True)
os.environ["LISTEN_PID"] = str(os.getpid())
os.environ["LISTEN_FDS"] = sys.argv[1]
os.environ["LISTEN_FDNAMES"] = sys.argv[2]
os.execv(sys.argv[3], sys.argv[3:])
"#;

#[test]
fn f06_sockets_of_a_service_manager_are_served() {
    let scene = Scene::new();
    for (count, names) in [("1", "portcullis.socket"), ("2", "admin:public")] {
        let run = ["run", "-c", "portcullis.yaml"];
        let gate = Gate::spawn(
            scene.directory(),
            Command::new("python3").args(["-c", ACTIVATE, count, names, BINARY]).args(run),
        );
        for _ in 0..8 {
            assert_eq!(gate.send(&scene.note("n-1")).status, 200, "{names}");
        }
        assert_eq!(Request::get("/readyz").send(gate.admin).status, 200, "{names}");
        assert_eq!(gate.terminate().0, Some(0));
    }
    // A socket that is not where the configuration was checked for.
    scene
        .configure(|text| text.replace("public: { address: \"127.0.0.1:0\" }", "public: { address: \"127.0.0.1:1\" }"));
    let output = Command::new("python3")
        .args(["-c", ACTIVATE, "1", "public", BINARY, "run", "-c", "portcullis.yaml"])
        .current_dir(scene.directory())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(3) && said.contains("listen.public.address"), "{said}");
}
