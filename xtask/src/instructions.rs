// SPDX-License-Identifier: Apache-2.0
//! A guard that no other load on the machine disturbs: instructions of the proxy's thread for one request.
//!
//! The binary runs under callgrind twice, for a few and for many requests of one connection; the difference over the
//! requests between is the cost of one, without the start. docs/decisions/0014 says why the tests' binary is counted.

mod baseline;
mod callgrind;

use crate::load::{Client, Message, request, upstream};
use crate::{cargo, root, step};
use anyhow::{Context, Result, bail};
use baseline::{Baseline, Judgement};
use callgrind::{Cost, Threads};
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Requests of the short run: connections are made, the token is known, caches are filled.
const FEW: u32 = 100;
/// A start under valgrind may take so many tries to connect, this far apart.
const TRIES: u32 = 1200;
const BETWEEN: Duration = Duration::from_millis(100);
/// Functions printed by `--by-function`.
const SHOWN: usize = 60;

struct Options {
    release: bool,
    by_function: bool,
    update: bool,
    binary: Option<PathBuf>,
    scenarios: Vec<String>,
    requests: u32,
}

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let options = options(arguments)?;
    installed()?;
    let profile = if options.release { "release" } else { "test" };
    let binary = if let Some(binary) = &options.binary { binary.clone() } else { build(options.release)? };
    let mut counted = BTreeMap::new();
    for scenario in &options.scenarios {
        counted.insert(scenario.clone(), count(&binary, scenario, &options)?);
    }
    judge(&options, profile, &counted)
}

/// Part of `cargo xtask test`: counts the binary the tests have just run, and builds nothing.
pub(crate) fn guard() -> Result<()> {
    if let Err(error) = installed() {
        println!("not run: the guard of instructions per request ({error:#})");
        return Ok(());
    }
    let binary = root()?.join("target/debug/portcullis");
    run(&["--binary".to_owned(), binary.display().to_string()])
}

fn options(arguments: &[String]) -> Result<Options> {
    let mut options = Options {
        release: false,
        by_function: false,
        update: false,
        binary: None,
        scenarios: vec!["plain".to_owned(), "all".to_owned()],
        requests: 400,
    };
    let mut rest = arguments.iter();
    while let Some(word) = rest.next() {
        let mut value = || rest.next().with_context(|| format!("{word} needs a value"));
        match word.as_str() {
            "--release" => options.release = true,
            "--by-function" => options.by_function = true,
            "--update" => options.update = true,
            "--binary" => options.binary = Some(PathBuf::from(value()?)),
            "--scenario" => options.scenarios = value()?.split(',').map(str::to_owned).collect(),
            "--requests" => options.requests = value()?.parse().context("--requests")?,
            _ => bail!("instructions: unknown `{word}`"),
        }
    }
    if options.requests <= FEW {
        bail!("--requests must be above {FEW}, which are not counted");
    }
    Ok(options)
}

/// Valgrind is there, or is installed where root may.
fn installed() -> Result<()> {
    let quiet = |c: &mut Command| c.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success());
    if quiet(Command::new("valgrind").arg("--version")) {
        return Ok(());
    }
    println!("installing valgrind (Debian package) for the guard of instructions per request");
    step("package lists", Command::new("apt-get").args(["update", "-qq"])).context("valgrind is missing")?;
    step("valgrind", Command::new("apt-get").args(["install", "-y", "-qq", "--no-install-recommends", "valgrind"]))
        .context("valgrind is missing")
}

fn build(release: bool) -> Result<PathBuf> {
    let mut build = cargo();
    build.args(["build", "--package", "portcullis-cli"]);
    if release {
        build.arg("--release");
    }
    step("build", &mut build)?;
    Ok(root()?.join(if release { "target/release/portcullis" } else { "target/debug/portcullis" }))
}

/// What one request costs: the longer run less the shorter, over the requests between.
struct Counted {
    proxy: f64,
    others: f64,
}

fn count(binary: &Path, scenario: &str, options: &Options) -> Result<Counted> {
    let few = observe(binary, scenario, FEW)?;
    let many = observe(binary, scenario, options.requests)?;
    let requests = f64::from(options.requests - FEW);
    let counted = Counted {
        proxy: difference(many.proxy.total(), few.proxy.total()) / requests,
        others: difference(many.others.total(), few.others.total()) / requests,
    };
    if options.by_function {
        let few: &BTreeMap<String, Cost> = &few.proxy.functions;
        show(scenario, &many.proxy.functions, few, requests);
    }
    Ok(counted)
}

/// Far below 2^52, so nothing is lost.
#[expect(clippy::cast_precision_loss, reason = "counts of a minute's work")]
fn difference(more: u64, less: u64) -> f64 {
    more as f64 - less as f64
}

/// Starts the gate under callgrind, has `requests` answered on one connection, and reads what was counted.
fn observe(binary: &Path, scenario: &str, requests: u32) -> Result<Threads> {
    let directory = root()?.join(format!("target/instructions/{scenario}-{requests}"));
    if directory.exists() {
        std::fs::remove_dir_all(&directory)?;
    }
    // Chosen before the upstream takes a port of its own.
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    write_configuration(&directory, scenario, port, 0)?;
    let behind = upstream(&std::fs::read(directory.join("keys/resp.json"))?)?;
    write_configuration(&directory, scenario, port, behind)?;
    let ask = question(&directory, scenario)?;
    let stem = directory.join("callgrind");
    let mut gate = Gate(
        // One core is one worker.
        Command::new("taskset")
            .args(["-c", "0", "valgrind", "--tool=callgrind", "--separate-threads=yes"])
            .args(["--compress-strings=no", "--compress-pos=no", "--fair-sched=yes"])
            .arg(format!("--callgrind-out-file={}", stem.display()))
            .arg(binary)
            .args(["run", "-c"])
            .arg(directory.join("portcullis.yaml"))
            .stdout(std::fs::File::create(directory.join("log"))?)
            .stderr(std::fs::File::create(directory.join("errors"))?)
            .spawn()
            .context("taskset, valgrind")?,
    );
    let mut client = gate.connect(port)?;
    for _ in 0..requests {
        right(scenario, &client.ask(&ask)?)?;
    }
    drop(client);
    gate.stop()?;
    callgrind::read(&stem)
}

/// `bench/gate.py` writes the same configuration as for the bench.
fn write_configuration(directory: &Path, scenario: &str, port: u16, upstream: u16) -> Result<()> {
    let written = Command::new("python3")
        .arg(root()?.join("bench/gate.py"))
        .arg(directory)
        .args([scenario, &port.to_string(), &upstream.max(1).to_string()])
        .status()
        .context("python3")?;
    if !written.success() {
        bail!("bench/gate.py failed");
    }
    Ok(())
}

/// The request of a scenario.
fn question(directory: &Path, scenario: &str) -> Result<Vec<u8>> {
    match scenario {
        "plain" => Ok(request("/json", None, None)),
        "sec-hs256" | "all" => {
            let token = std::fs::read_to_string(directory.join("keys/token"))?;
            let body = std::fs::read(directory.join("keys/order.json"))?;
            Ok(request("/orders", Some(token.trim()), Some(&body)))
        }
        _ => bail!("no such scenario: {scenario} (plain, sec-hs256, all)"),
    }
}

/// A gate that does not do the work is not measured.
fn right(scenario: &str, answer: &Message) -> Result<()> {
    let text = String::from_utf8_lossy(&answer.body);
    let filtered = !text.contains("margin") && !text.contains("pad");
    if answer.status() != Some(200) || !text.contains("owner") || filtered != (scenario == "all") {
        bail!("{scenario}: not the answer that was expected: {} {text}", answer.first_line);
    }
    Ok(())
}

/// The process under valgrind; ended with its owner.
struct Gate(Child);

impl Gate {
    fn connect(&mut self, port: u16) -> Result<Client> {
        for _ in 0..TRIES {
            if let Ok(client) = Client::connect(port) {
                return Ok(client);
            }
            if let Some(status) = self.0.try_wait()? {
                bail!("the gate ended with {status}; see `log` under target/instructions");
            }
            std::thread::sleep(BETWEEN);
        }
        bail!("the gate did not listen within {:?}", BETWEEN * TRIES)
    }

    /// SIGTERM, so that callgrind writes what it counted.
    fn stop(&mut self) -> Result<()> {
        Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status().context("kill")?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        // Already ended where `stop` was called.
        if matches!(self.0.try_wait(), Ok(None)) {
            let _ended = self.0.kill();
            let _reaped = self.0.wait();
        }
    }
}

fn show(scenario: &str, many: &BTreeMap<String, Cost>, few: &BTreeMap<String, Cost>, requests: f64) {
    let mut crates: BTreeMap<String, f64> = BTreeMap::new();
    let mut rows = Vec::new();
    for (name, cost) in many {
        let before = few.get(name).copied().unwrap_or_default();
        let own = difference(cost.own, before.own) / requests;
        *crates.entry(home(name)).or_default() += own;
        rows.push((own, difference(cost.with_callees, before.with_callees) / requests, name));
    }
    rows.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut crates: Vec<(String, f64)> = crates.into_iter().collect();
    crates.sort_by(|a, b| b.1.total_cmp(&a.1));
    println!("\n{scenario}: by crate");
    for (name, own) in crates.iter().filter(|c| c.1 >= 50.0) {
        println!("{own:10.0}  {name}");
    }
    println!("\n{scenario}: by function (own, with callees)");
    for (own, with_callees, name) in rows.iter().take(SHOWN) {
        println!("{own:10.0} {with_callees:10.0}  {name}");
    }
}

/// The crate a function was written in, as far as its name tells: of `<A as B>::c` it is A's.
fn home(name: &str) -> String {
    let start = name.trim_start_matches(['<', '&', '*']);
    match start.split_once("::") {
        Some((first, _)) if !first.is_empty() => first.to_owned(),
        _ => "C and others".to_owned(),
    }
}

fn judge(options: &Options, profile: &str, counted: &BTreeMap<String, Counted>) -> Result<()> {
    let path = root()?.join("bench/instructions.toml");
    let mut baseline = Baseline::read(&path)?;
    println!("\ninstructions of one request, proxy's thread (audit's threads beside), {profile} profile");
    let mut over = Vec::new();
    for (scenario, cost) in counted {
        let key = format!("{profile}.{scenario}");
        let judgement = baseline.judge(&key, cost.proxy);
        println!("  {scenario:10} {:9.0} ({:.0})  {judgement}", cost.proxy, cost.others);
        if matches!(judgement, Judgement::Over { .. }) {
            over.push(key.clone());
        }
        baseline.set(key, cost.proxy);
    }
    if options.update {
        baseline.write(&path)?;
        println!("written to bench/instructions.toml");
    } else if !over.is_empty() {
        bail!(
            "{} cost more than bench/instructions.toml allows. What grew: `cargo xtask instructions --by-function` here and \
             on the commit before (`--release` for what users run). Where the cost is worth it: \
             `cargo xtask instructions --update`, and say why in the commit",
            over.join(", ")
        );
    }
    Ok(())
}
