// SPDX-License-Identifier: Apache-2.0
//! What of an address is counted: an IPv4 address whole, an IPv6 address by its /64, since whoever has one address of
//! a /64 has all of them (T119).

use std::net::IpAddr;

/// The counted part of an address; an IPv4 address mapped into IPv6 is the IPv4 address.
pub(crate) fn prefix(address: IpAddr) -> [u8; 8] {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            // No IPv6 prefix collides: the leading 0xff… of a multicast group is no source address.
            let [a, b, c, d] = v4.octets();
            [0xff, 0xff, 0xff, 0xff, a, b, c, d]
        }
        IpAddr::V6(v6) => {
            let network = v6.to_bits() >> 64;
            u64::try_from(network).unwrap_or(u64::MAX).to_be_bytes()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t119_addresses_of_one_64_are_one_source_and_mapped_ones_are_ipv4() {
        let of = |text: &str| prefix(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.7"), of("192.0.2.7"));
        assert_ne!(of("192.0.2.7"), of("192.0.2.8"));
        assert_ne!(of("::192.0.2.7"), of("192.0.2.7"));
    }
}
