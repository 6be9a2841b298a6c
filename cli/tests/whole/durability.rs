// SPDX-License-Identifier: Apache-2.0
//! What was answered is in the trail, whatever happens to the process; what was changed afterwards is found.

use crate::client::{Request, exchange};
use crate::gate::{BINARY, Gate, verify};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Clients that ask until they are stopped; the ids of complete answers are kept.
fn load(
    gate: &Gate,
    clients: usize,
    answered: &Arc<Mutex<Vec<String>>>,
    stop: &Arc<AtomicBool>,
) -> Vec<std::thread::JoinHandle<()>> {
    (0..clients)
        .map(|n| {
            let token = gate.token(if n % 2 == 0 { "alice" } else { "bob" });
            let (to, answered, stop) = (gate.public, Arc::clone(answered), Arc::clone(stop));
            std::thread::spawn(move || {
                let request = Request::get("/orders/ord-1").bearer(&token);
                while !stop.load(Ordering::Relaxed) {
                    match request.try_send(to) {
                        Ok(answer) => answered.lock().unwrap().push(answer.id().to_owned()),
                        Err(_) => return,
                    }
                }
            })
        })
        .collect()
}

/// Every request id in the trail, from the entries themselves.
fn recorded(data: &Path) -> String {
    let mut all = String::new();
    let mut open = vec![data.join("audit")];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(path).unwrap().map(|e| e.unwrap().path()));
        } else {
            all.push_str(&String::from_utf8_lossy(&std::fs::read(path).unwrap()));
        }
    }
    all
}

#[test]
fn f08_kill_9_under_load_loses_no_answered_request() {
    let rounds = std::env::var("PORTCULLIS_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(20);
    let mut total = 0;
    for round in 0..rounds {
        let gate = Gate::demo();
        let data = gate.demo_directory().join("data");
        let (answered, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let clients = load(&gate, 4, &answered, &stop);
        std::thread::sleep(Duration::from_millis(60 + 17 * (round % 9)));
        let kept = gate.kill();
        stop.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().unwrap();
        }
        let trail = recorded(&data);
        let answered = answered.lock().unwrap();
        for id in answered.iter() {
            assert!(trail.contains(id), "round {round}: {id} was answered and is not in the trail");
        }
        total += answered.len();
        let output = verify(&data);
        assert!(output.status.success(), "round {round}: {}", String::from_utf8_lossy(&output.stderr));
        drop(kept);
    }
    assert!(total > usize::try_from(rounds).unwrap() * 5, "only {total} answers in {rounds} rounds: not a load");
}

#[test]
fn t112_verify_names_a_flipped_byte() {
    let gate = Gate::demo();
    let ids: Vec<String> = (0..12)
        .map(|_| gate.send(&Request::get("/orders/ord-1").bearer(&gate.token("alice"))).id().to_owned())
        .collect();
    let data = gate.demo_directory().join("data");
    let (_, _kept) = gate.terminate();
    assert!(verify(&data).status.success());
    let file = entries(&data.join("audit")).into_iter().find(|f| holds(f, &ids[7])).expect("the record is in a file");
    let mut bytes = std::fs::read(&file).unwrap();
    let at = bytes.windows(ids[7].len()).position(|w| w == ids[7].as_bytes()).unwrap();
    bytes[at + 3] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let output = verify(&data);
    assert_eq!(output.status.code(), Some(6));
    let said = String::from_utf8_lossy(&output.stderr);
    let name = file.file_name().unwrap().to_string_lossy();
    assert!(said.contains(&*name), "the file is not named: {said}");
    let index =
        said.split(|c: char| !c.is_ascii_digit()).any(|n| n.parse::<u64>().is_ok_and(|n| (7..=10).contains(&n)));
    assert!(index, "the record is not named: {said}");
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut open = vec![directory.to_path_buf()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(path).unwrap().map(|e| e.unwrap().path()));
        } else {
            files.push(path);
        }
    }
    files
}

fn holds(file: &Path, text: &str) -> bool {
    std::fs::read(file).unwrap().windows(text.len()).any(|w| w == text.as_bytes())
}

#[test]
fn a_client_that_leaves_is_recorded() {
    let gate = Gate::demo();
    let token = gate.token("alice");
    // A body that never comes: the client leaves while it is awaited.
    let head = format!(
        "PATCH /orders/ord-1 HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{{\"note\"",
        gate.public
    );
    let stream = std::net::TcpStream::connect(gate.public).unwrap();
    std::io::Write::write_all(&mut &stream, head.as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    drop(stream);
    std::thread::sleep(Duration::from_millis(500));
    let data = gate.demo_directory().join("data");
    gate.send(&Request::get("/catalog"));
    assert!(recorded(&data).contains("client.aborted"), "no record of the client that left");
}

#[test]
fn st_1_garbage_gets_an_answer_or_a_close_and_the_gate_goes_on() {
    let gate = Gate::demo();
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"GET\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
    ] {
        drop(exchange(gate.public, bytes));
    }
    assert_eq!(gate.send(&Request::get("/catalog")).status, 200);
    assert!(Command::new(BINARY).arg("version").output().unwrap().status.success());
}
