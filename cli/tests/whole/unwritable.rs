// SPDX-License-Identifier: Apache-2.0
//! No record, no answer: the trail that cannot be written closes the gate.

use crate::client::Request;
use crate::gate::{Gate, command};

/// Caps the size of files a process may write, which is how its disk becomes full.
fn fill_disk(pid: u32) {
    let limited =
        std::process::Command::new("prlimit").args([format!("--pid={pid}"), "--fsize=1:1".to_owned()]).status();
    assert!(limited.is_ok_and(|s| s.success()), "prlimit (util-linux) is needed for this test");
}

#[test]
fn f11_an_unwritable_directory_exits_3_at_start() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("openapi.yaml"), include_str!("../../demo/openapi.yaml")).unwrap();
    // A file where the directory should be: nobody can write there, not even root.
    std::fs::write(directory.path().join("taken"), "").unwrap();
    let config = include_str!("../../demo/portcullis.yaml")
        .replace("{LISTEN}", "\"127.0.0.1:0\"")
        .replace("{ADMIN}", "\"127.0.0.1:0\"")
        .replace("{UPSTREAM}", "\"http://127.0.0.1:9\"")
        .replace("{ISSUER}", "\"http://127.0.0.1:9\"")
        .replace("data: ./data", "data: ./taken");
    std::fs::write(directory.path().join("portcullis.yaml"), config).unwrap();
    let output = command(directory.path(), &["run", "-c", "portcullis.yaml"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(output.stdout.is_empty(), "it must not say that it listens");
    assert!(said.contains("taken") && said.contains("help:"), "{said}");
}

#[test]
fn f11_a_writer_that_dies_under_load_lets_no_answer_through() {
    let gate = Gate::demo();
    let token = gate.token("alice");
    let request = Request::get("/orders/ord-1").bearer(&token);
    assert_eq!(gate.send(&request).status, 200);
    fill_disk(gate.pid());
    // From here on nothing can be recorded, so nothing may be allowed.
    let mut refused = 0;
    for _ in 0..50 {
        match request.try_send(gate.public) {
            Ok(answer) => {
                assert_eq!(answer.status, 503, "answered without a record: {answer:?}");
                assert!(answer.header("retry-after").is_some());
                refused += 1;
            }
            Err(error) => panic!("no answer at all: {error}"),
        }
    }
    assert_eq!(refused, 50);
    let ready = Request::get("/readyz").try_send(gate.admin).unwrap();
    assert_eq!(ready.status, 503, "{ready:?}");
    let alive = Request::get("/healthz").try_send(gate.admin).unwrap();
    assert_eq!(alive.status, 200, "{alive:?}");
}
