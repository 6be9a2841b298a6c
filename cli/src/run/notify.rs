// SPDX-License-Identifier: Apache-2.0
//! What the service manager is told (`sd_notify`): datagrams to the socket it names, nothing where it names none.

use rustix::time::{ClockId, clock_gettime};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The service manager's ear.
#[derive(Debug)]
pub(crate) struct Notifier {
    socket: Option<(UnixDatagram, SocketAddr)>,
    /// How long it waits for a sign of life.
    watchdog: Option<Duration>,
}

impl Notifier {
    /// As `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` say.
    pub(crate) fn from_environment() -> Self {
        let variable = |name: &str| std::env::var(name).ok();
        let socket = variable("NOTIFY_SOCKET").and_then(|name| connect(&name));
        let watchdog = watchdog(variable("WATCHDOG_USEC"), variable("WATCHDOG_PID"));
        Self { watchdog: watchdog.filter(|_| socket.is_some()), socket }
    }

    /// How often [`Notifier::alive`] has to be said, if at all.
    pub(crate) fn alive_every(&self) -> Option<Duration> {
        self.watchdog.map(|patience| patience / 2)
    }

    /// Ready, at the start and after a reload, whatever came of it.
    pub(crate) fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\n{}", status_line(status)));
    }

    /// A reload began. The time tells it from an earlier one.
    pub(crate) fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let micros = now.tv_sec.saturating_mul(1_000_000).saturating_add(now.tv_nsec / 1_000);
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={micros}\n"));
    }

    /// The process ends.
    pub(crate) fn stopping(&self, status: &str) {
        self.tell(&format!("STOPPING=1\n{}", status_line(status)));
    }

    /// A sign of life.
    pub(crate) fn alive(&self) {
        self.tell("WATCHDOG=1\n");
    }

    fn tell(&self, words: &str) {
        if let Some((socket, address)) = &self.socket {
            // Nobody there, or no room: serving matters more than saying so.
            drop(socket.send_to_addr(words.as_bytes(), address));
        }
    }
}

/// One line, whatever the text holds.
fn status_line(status: &str) -> String {
    let line: String = status.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("STATUS={line}\n")
}

/// A path, or a name of the abstract namespace with `@` in front.
fn connect(name: &str) -> Option<(UnixDatagram, SocketAddr)> {
    let address = match name.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name.as_bytes()),
        None if name.starts_with('/') => SocketAddr::from_pathname(name),
        None => return None,
    };
    let socket = UnixDatagram::unbound().ok()?;
    socket.set_nonblocking(true).ok()?;
    Some((socket, address.ok()?))
}

fn watchdog(micros: Option<String>, pid: Option<String>) -> Option<Duration> {
    let ours = pid.is_none_or(|pid| pid.parse() == Ok(std::process::id()));
    let micros: u64 = micros.filter(|_| ours)?.parse().ok()?;
    (micros > 0).then(|| Duration::from_micros(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f07_words_reach_the_socket_in_order_and_status_is_one_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let ear = UnixDatagram::bind(&path).unwrap();
        let notifier = Notifier { socket: connect(path.to_str().unwrap()), watchdog: None };
        notifier.ready("serving\nREADY=0");
        notifier.reloading();
        notifier.alive();
        let heard = || {
            let mut bytes = [0; 256];
            let length = ear.recv(&mut bytes).unwrap();
            String::from_utf8_lossy(&bytes[..length]).into_owned()
        };
        assert_eq!(heard(), "READY=1\nSTATUS=serving READY=0\n");
        let reloading = heard();
        let micros = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap().trim();
        assert!(micros.parse::<u64>().unwrap() > 0, "{reloading}");
        assert_eq!(heard(), "WATCHDOG=1\n");
    }

    #[test]
    fn the_watchdog_is_for_the_process_it_names() {
        let own = std::process::id().to_string();
        assert_eq!(watchdog(Some("3000000".into()), None), Some(Duration::from_secs(3)));
        assert_eq!(watchdog(Some("3000000".into()), Some(own)), Some(Duration::from_secs(3)));
        assert_eq!(watchdog(Some("3000000".into()), Some("1".into())), None);
        assert_eq!(watchdog(Some("0".into()), None), None);
        assert_eq!(watchdog(Some("soon".into()), None), None);
    }
}
