// SPDX-License-Identifier: Apache-2.0
//! A running gate, and the commands of the same binary.

use crate::client::{Answer, Request};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_portcullis");

/// The binary that is served by: another build of it where one is named.
fn served() -> std::ffi::OsString {
    std::env::var_os("PORTCULLIS_TEST_BINARY").unwrap_or_else(|| BINARY.into())
}

/// A gate in a directory of its own; ended by pid when dropped.
pub(crate) struct Gate {
    child: Child,
    pub(crate) public: SocketAddr,
    pub(crate) admin: SocketAddr,
    directory: PathBuf,
    said: Arc<Mutex<String>>,
    /// Keeps a temporary directory alive.
    kept: Option<tempfile::TempDir>,
}

impl Gate {
    /// `run --demo` on free ports.
    pub(crate) fn demo() -> Self {
        let kept = tempfile::tempdir().unwrap();
        let directory = kept.path().to_path_buf();
        let arguments = ["run", "--demo", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
        let mut gate = Self::start(&directory, &arguments);
        gate.kept = Some(kept);
        gate
    }

    /// `run -c portcullis.yaml` in a directory.
    pub(crate) fn configured(directory: &Path) -> Self {
        Self::start(directory, &["run", "-c", "portcullis.yaml"])
    }

    /// Starts the binary and waits for its one line on stdout.
    pub(crate) fn start(directory: &Path, arguments: &[&str]) -> Self {
        Self::spawn(directory, Command::new(served()).args(arguments))
    }

    /// The same by a command of the caller's, which becomes the binary.
    pub(crate) fn spawn(directory: &Path, command: &mut Command) -> Self {
        let mut child = command.current_dir(directory).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = child.stderr.take().unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let saying = Arc::clone(&said);
        let listening = std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut said = saying.lock().unwrap();
                if said.len() < 1 << 20 {
                    said.push_str(&line);
                    said.push('\n');
                }
            }
        });
        let mut line = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        while !line.starts_with("listening ") {
            line.clear();
            if lines.read_line(&mut line).unwrap() == 0 {
                child.wait().ok();
                listening.join().unwrap();
                panic!("the gate did not start: {}", said.lock().unwrap());
            }
        }
        // Goes on reading, so that the gate never blocks on its stdout.
        std::thread::spawn(move || drop(lines.read_to_string(&mut String::new())));
        let mut gate = Self::of(child, &line, directory);
        gate.said = said;
        gate
    }

    /// A gate that said where it listens.
    pub(crate) fn of(child: Child, line: &str, directory: &Path) -> Self {
        let address = |name: &str| -> SocketAddr {
            line.split_whitespace().find_map(|word| word.strip_prefix(name)).unwrap().parse().unwrap()
        };
        let (public, admin) = (address("public="), address("admin="));
        Self { child, public, admin, directory: directory.to_path_buf(), said: Arc::default(), kept: None }
    }

    pub(crate) fn demo_directory(&self) -> PathBuf {
        self.directory.join("portcullis-demo")
    }

    /// What it wrote to stderr so far.
    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A token the demo wrote for a user.
    pub(crate) fn token(&self, user: &str) -> String {
        std::fs::read_to_string(self.demo_directory().join(format!("{user}.token"))).unwrap()
    }

    pub(crate) fn send(&self, request: &Request) -> Answer {
        request.send(self.public)
    }

    /// What `explain --format json` says, once the record can be read.
    pub(crate) fn explain(&self, id: &str) -> Value {
        for attempt in 0.. {
            let output = self.explain_output(id, "json");
            if output.status.success() {
                return serde_json::from_slice(&output.stdout).unwrap();
            }
            assert!(attempt < 200, "explain {id}: {}", String::from_utf8_lossy(&output.stderr));
            std::thread::sleep(Duration::from_millis(50));
        }
        unreachable!("the loop ends with an answer or an assertion")
    }

    pub(crate) fn explain_output(&self, id: &str, format: &str) -> Output {
        let config = self.demo_directory().join("portcullis.yaml");
        Command::new(BINARY).args(["explain", id, "--format", format, "-c"]).arg(config).output().unwrap()
    }

    /// Waits for it to end by itself; answers its exit code.
    pub(crate) fn wait(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// Ends the gate as `kill -9` does.
    pub(crate) fn kill(mut self) -> Option<tempfile::TempDir> {
        self.child.kill().ok();
        self.child.wait().ok();
        self.kept.take()
    }

    /// Ends the gate as an operator does; answers its exit code.
    pub(crate) fn terminate(mut self) -> (Option<i32>, Option<tempfile::TempDir>) {
        signal(self.pid(), "TERM");
        let code = self.child.wait().unwrap().code();
        (code, self.kept.take())
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

pub(crate) fn signal(pid: u32, name: &str) {
    assert!(Command::new("kill").args([format!("-{name}"), pid.to_string()]).status().unwrap().success());
}

/// A command of the binary that ends by itself.
pub(crate) fn command(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(BINARY).args(arguments).current_dir(directory).output().unwrap()
}

/// `audit verify` over a trail.
pub(crate) fn verify(data: &Path) -> Output {
    Command::new(BINARY)
        .args(["audit", "verify", "--format", "json"])
        .arg(data.join("audit"))
        .arg("--key")
        .arg(data.join("audit.key.pub"))
        .output()
        .unwrap()
}
