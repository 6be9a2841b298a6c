// SPDX-License-Identifier: Apache-2.0
//! Names to addresses, with what a name must not lead to.

use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use tower::Service;

/// Most addresses tried of one name.
const ADDRESSES_MAX: usize = 16;

/// The machine's resolver behind our rules.
#[derive(Clone, Debug)]
pub(crate) struct Resolver {
    system: GaiResolver,
}

impl Resolver {
    pub(crate) fn new() -> Self {
        Self { system: GaiResolver::new() }
    }
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.system.poll_ready(context)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        // Plain http is allowed to this name, so it must mean this machine whatever a resolver says.
        if name.as_str().eq_ignore_ascii_case("localhost") {
            let here = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
            let here = Vec::from(here.map(|ip| SocketAddr::new(ip, 0)));
            return Box::pin(async move { Ok(here.into_iter()) });
        }
        let lookup = self.system.call(name);
        Box::pin(async move {
            let found: Vec<SocketAddr> =
                lookup.await?.filter(|address| is_allowed(address.ip())).take(ADDRESSES_MAX).collect();
            if found.is_empty() {
                return Err(io::Error::other("the name leads to no address that is allowed"));
            }
            Ok(found.into_iter())
        })
    }
}

/// Whether we may connect there at all.
pub(crate) fn is_allowed(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => !(ip.is_link_local() || ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast()),
        IpAddr::V6(ip) => !(ip.is_unicast_link_local() || ip.is_unspecified() || ip.is_multicast()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t118_addresses_of_machine_metadata_are_refused() {
        for bad in ["169.254.169.254", "::ffff:169.254.169.254", "fe80::1", "0.0.0.0", "::", "224.0.0.1", "ff02::1"] {
            assert!(!is_allowed(bad.parse().unwrap()), "{bad}");
        }
        for good in ["127.0.0.1", "::1", "10.0.0.8", "192.0.2.1", "2001:db8::1"] {
            assert!(is_allowed(good.parse().unwrap()), "{good}");
        }
    }

    #[tokio::test]
    async fn t95_localhost_is_this_machine() {
        let addresses = Resolver::new().call("localhost".parse().unwrap()).await.unwrap();
        assert!(addresses.into_iter().all(|a| a.ip().is_loopback()));
    }
}
