// SPDX-License-Identifier: Apache-2.0
//! Sockets that somebody else opened: the service manager (`LISTEN_FDS`), or the process before this one.

use super::unusable;
use crate::outcome::Failure;
use portcullis_config::Loaded;
use portcullis_console::Console;
use portcullis_proxy::Binding;
use rustix::net::sockopt::socket_acceptconn;
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;

/// The first descriptor a service manager passes (`sd_listen_fds`).
const FIRST_DESCRIPTOR: i32 = 3;
/// Sockets that are taken at most.
pub(super) const SOCKETS_MAX: usize = 128;

/// Sockets that listen already.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    pub(super) public: Vec<TcpListener>,
    pub(super) admin: Option<TcpListener>,
}

/// What the service manager passed to this process, if anything.
pub(super) fn passed() -> Result<Option<Sockets>, Failure> {
    let variable = |name: &str| std::env::var(name).ok();
    let (Some(pid), Some(count)) = (variable("LISTEN_PID"), variable("LISTEN_FDS")) else { return Ok(None) };
    if pid.parse() != Ok(std::process::id()) {
        // Meant for a parent that passed its environment on.
        return Ok(None);
    }
    let count: usize = count.parse().unwrap_or(0);
    if count == 0 || count > SOCKETS_MAX {
        return Err(refused(&format!("LISTEN_FDS passes {count} sockets, not 1 to {SOCKETS_MAX}")));
    }
    let names = variable("LISTEN_FDNAMES").unwrap_or_default();
    let roles = roles(count, &names).map_err(|name| {
        refused(&format!("a socket is called `{name}`: `FileDescriptorName=` is `public` or `admin`"))
    })?;
    let mut sockets = Sockets::default();
    for (role, descriptor) in roles.into_iter().zip(FIRST_DESCRIPTOR..) {
        let listener = adopt(descriptor).map_err(|e| refused(&format!("descriptor {descriptor}: {e}")))?;
        match role {
            Role::Public => sockets.public.push(listener),
            Role::Admin if sockets.admin.is_none() => sockets.admin = Some(listener),
            Role::Admin => return Err(refused("two sockets are called `admin`")),
        }
    }
    Ok(Some(sockets))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Public,
    Admin,
}

/// What each socket is for. Without names the first is for clients and the second for operators.
fn roles(count: usize, names: &str) -> Result<Vec<Role>, String> {
    let names: Vec<&str> = names.split(':').collect();
    let with_roles = names.len() == count && names.iter().any(|name| matches!(*name, "public" | "admin"));
    if !with_roles {
        return match count {
            1 => Ok(vec![Role::Public]),
            2 => Ok(vec![Role::Public, Role::Admin]),
            _ => Err(names.first().map(ToString::to_string).unwrap_or_default()),
        };
    }
    let role = |name: &&str| match *name {
        "public" => Ok(Role::Public),
        "admin" => Ok(Role::Admin),
        other => Err(other.to_owned()),
    };
    names.iter().map(role).collect()
}

/// A socket of this process by its number, as a value that owns a copy of it.
fn adopt(descriptor: i32) -> io::Result<TcpListener> {
    let own = pidfd_open(getpid(), PidfdFlags::empty())?;
    let socket = pidfd_getfd(&own, descriptor, PidfdGetfdFlags::empty())?;
    if !socket_acceptconn(&socket)? {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it does not listen"));
    }
    Ok(TcpListener::from(socket))
}

fn refused(message: &str) -> Failure {
    unusable(format!("socket activation: {message}"), "see docs/guide/operate.md for the socket unit")
}

impl Sockets {
    /// The listeners of a configuration: these where there are any, new ones where there are none.
    pub(super) fn open(mut self, loaded: &Loaded, cores: NonZeroUsize) -> Result<(Binding, Option<Console>), Failure> {
        let (listen, admin) = (loaded.listen.public, loaded.listen.admin);
        let binding = if self.public.is_empty() {
            Binding::bind(listen, cores).map_err(|e| {
                unusable(
                    format!("cannot listen on {listen}: {e}"),
                    "choose a free address: `listen.public.address`, or --listen; `run --take-over` takes the place of a \
                     gateway that runs",
                )
            })?
        } else {
            for socket in &self.public {
                matches(socket, listen, "listen.public.address")?;
            }
            Binding::adopt(self.public, cores).map_err(|e| refused(&e.to_string()))?
        };
        let console = match (admin, self.admin.take()) {
            (None, _) => None,
            (Some(address), Some(socket)) => {
                matches(&socket, address, "listen.admin.address")?;
                Some(Console::on(socket).map_err(|e| refused(&e.to_string()))?)
            }
            (Some(address), None) => Some(Console::bind(address).map_err(|e| {
                unusable(
                    format!("cannot listen on {address}: {e}"),
                    "choose a free address: `listen.admin.address`, or --admin",
                )
            })?),
        };
        Ok((binding, console))
    }
}

/// What the configuration was checked for is what is served: a passed socket on another address is refused.
fn matches(socket: &TcpListener, wanted: SocketAddr, word: &str) -> Result<(), Failure> {
    let at = socket.local_addr().map_err(|e| refused(&e.to_string()))?;
    if at.ip() == wanted.ip() && (wanted.port() == 0 || at.port() == wanted.port()) {
        return Ok(());
    }
    Err(unusable(
        format!("the socket that was passed listens on {at}, and the configuration says {wanted}"),
        &format!("write `{word}: {at}`, or change the socket"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f06_names_say_what_a_socket_is_for() {
        use Role::{Admin, Public};
        assert_eq!(roles(1, "portcullis.socket"), Ok(vec![Public]));
        assert_eq!(roles(2, ""), Ok(vec![Public, Admin]));
        assert_eq!(roles(2, "admin:public"), Ok(vec![Admin, Public]));
        assert_eq!(roles(3, "public:public:admin"), Ok(vec![Public, Public, Admin]));
        assert_eq!(roles(2, "public:other"), Err("other".to_owned()));
        assert!(roles(3, "").is_err());
    }
}
