// SPDX-License-Identifier: Apache-2.0
//! `listen`: where clients and operators connect.

use std::net::{Ipv4Addr, SocketAddr};

use portcullis_decision::finding::Severity;

use super::{Surroundings, tls};
use crate::cursor::Cursor;
use crate::loaded::{Listen, Plaintext};
use crate::values::{Scheme, ValueError, socket};

const PUBLIC_PORT: u16 = 8080;
const ADMIN_PORT: u16 = 9443;

pub(super) fn read(cursor: &Cursor<'_>, surroundings: &Surroundings<'_>) -> Option<Listen> {
    let section = cursor.word("public");
    let public = if cursor.is_map() { section.word("address") } else { cursor.clone() };
    let address = if public.is_present() {
        public.parse(socket)
    } else {
        Some(SocketAddr::from((Ipv4Addr::LOCALHOST, PUBLIC_PORT)))
    };
    let plaintext = section.word("plaintext").text();
    let secured = section.word("tls");
    let tls = tls::listener(&secured, surroundings);
    let public_url = section.word("public_url");
    let url = public_url_of(&public_url);
    let admin = admin(&cursor.word("admin"));
    let address = address?;
    let loopback = address.ip().to_canonical().is_loopback();
    if plaintext.is_some() && secured.is_present() {
        section
            .word("plaintext")
            .refuse("`plaintext` says that something in front speaks TLS, and `tls` that the gateway does")
            .help("remove one of the two");
    }
    if !loopback && plaintext.is_none() && !secured.is_present() {
        public
            .refuse(format!("`{address}` is not a loopback address and would be served without TLS"))
            .help(
                "add `tls: { certificate: PATH, key: { file: PATH } }` under `listen.public`, listen on 127.0.0.1, or say \
                 `plaintext: behind_tls_terminator` if something in front speaks TLS",
            )
            .rule("PC0404");
    }
    if plaintext.is_some() && !public_url.is_present() {
        let message = "clients are told the listen address, which is not what they call".to_owned();
        public
            .sink()
            .report(section.spot(), "listen.public", message, Severity::Medium)
            .help("name what clients call: `public_url: https://…`")
            .done();
    }
    let admin = match admin {
        Some(Admin::At(address)) => Some(address),
        Some(Admin::Off) | None => None,
    };
    if admin == Some(address) && address.port() != 0 {
        cursor.word("admin").refuse("`listen.admin` is the public address").help("give it a port of its own");
    }
    let plaintext = match (secured.is_present(), loopback) {
        (true, _) => Plaintext::Tls,
        (false, true) => Plaintext::Loopback,
        (false, false) => Plaintext::BehindTlsTerminator,
    };
    Some(Listen { public: address, public_url: url, tls, plaintext, admin })
}

fn public_url_of(cursor: &Cursor<'_>) -> Option<String> {
    let text = cursor.text()?;
    let url = cursor.url()?;
    if url.has_query {
        cursor.refuse("what clients call has no query").help(ValueError::UrlQuery.to_string());
    }
    if url.scheme == Scheme::Http && !url.is_loopback() {
        let message = "clients are told to call over plain http".to_owned();
        cursor
            .sink()
            .report(cursor.spot(), cursor.at(), message, Severity::Medium)
            .help("write `https://`")
            .rule("PC0405")
            .done();
    }
    Some(text.trim_end_matches('/').to_owned())
}

/// Where operators connect.
#[derive(Clone, Copy)]
enum Admin {
    Off,
    At(SocketAddr),
}

/// `None`: unusable, and said so.
fn admin(cursor: &Cursor<'_>) -> Option<Admin> {
    let cursor = if cursor.is_map() { cursor.word("address") } else { cursor.clone() };
    if !cursor.is_present() {
        return Some(Admin::At(SocketAddr::from((Ipv4Addr::LOCALHOST, ADMIN_PORT))));
    }
    if cursor.text() == Some("off") {
        return Some(Admin::Off);
    }
    let address = cursor.parse(socket)?;
    if !address.ip().to_canonical().is_loopback() {
        cursor
            .refuse(format!("the admin listener speaks plain http and `{address}` is not a loopback address"))
            .help("listen on 127.0.0.1, or write `admin: off`")
            .rule("PC0404");
        return None;
    }
    Some(Admin::At(address))
}
