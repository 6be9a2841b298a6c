// SPDX-License-Identifier: Apache-2.0
//! `upstreams`: the services behind the gateway.

mod resilience;

use std::sync::Arc;
use std::time::Duration;

use portcullis_decision::finding::Severity;
use portcullis_proxy::{CircuitBreaker, Concurrency, Http, Retry, TARGETS_MAX, UpstreamTlsFiles};

use super::edge::bounded_duration;
use super::{Surroundings, tls};
use crate::cursor::Cursor;
use crate::loaded::{Api, Upstream, UpstreamIdentity};
use crate::suggest::did_you_mean;
use crate::values::{Scheme, Target, ValueError, header_name};

/// The longest an upstream may be waited for.
const TIMEOUT_MAX: Duration = Duration::from_hours(1);
const CONNECT_DEFAULT: Duration = Duration::from_secs(1);
const FIRST_BYTE_DEFAULT: Duration = Duration::from_secs(5);
const TOTAL_DEFAULT: Duration = Duration::from_secs(15);

/// The upstreams so far: those declared, then the anonymous ones of APIs.
pub(super) struct Upstreams<'a> {
    upstreams: Vec<Upstream>,
    /// Declared names, usable or not: a reference to a faulty one is no second fault.
    declared: Vec<&'a str>,
}

pub(super) fn read<'a>(cursor: &Cursor<'a>, surroundings: &Surroundings<'_>) -> Upstreams<'a> {
    let sections = cursor.entries();
    let declared = sections.iter().map(|(name, _)| *name).collect();
    let read = |(name, section): &(&str, Cursor<'_>)| upstream((*name).into(), section, surroundings);
    let upstreams = sections.iter().filter_map(read).collect();
    Upstreams { upstreams, declared }
}

impl Upstreams<'_> {
    /// The index of the upstream an API names, or of the one made from the address it gives.
    pub(super) fn resolve(&mut self, api: &Arc<str>, cursor: &Cursor<'_>) -> Option<usize> {
        let text = cursor.text()?;
        if text.contains("://") {
            let target = target(cursor)?;
            self.upstreams.push(Upstream {
                name: api.clone(),
                tls: target.is_https().then(UpstreamTlsFiles::default),
                http: Http::One,
                targets: vec![target],
                identity: UpstreamIdentity::None,
                connect_timeout: CONNECT_DEFAULT,
                first_byte_timeout: FIRST_BYTE_DEFAULT,
                total_timeout: TOTAL_DEFAULT,
                retry: Retry::default(),
                circuit_breaker: Some(CircuitBreaker::default()),
                concurrency: Concurrency::default(),
                health: None,
            });
            return self.upstreams.len().checked_sub(1);
        }
        let found = self.upstreams.iter().position(|upstream| *upstream.name == *text);
        if found.is_none() && !self.declared.contains(&text) {
            let help = if self.declared.is_empty() {
                "declare it under `upstreams:`, or give an address such as `http://127.0.0.1:9000`".to_owned()
            } else {
                did_you_mean(text, self.declared.iter().copied())
            };
            cursor.refuse(format!("there is no upstream {}", cursor.shown())).help(help);
        }
        found
    }

    pub(super) fn into_upstreams(self) -> Vec<Upstream> {
        self.upstreams
    }
}

/// Reports upstreams no API uses.
pub(super) fn report_unused(cursor: &Cursor<'_>, upstreams: &Upstreams<'_>, apis: &[Api]) {
    for (name, section) in cursor.entries() {
        let used = (0_usize..)
            .zip(&upstreams.upstreams)
            .any(|(index, upstream)| *upstream.name == *name && apis.iter().any(|api| api.upstream == index));
        if !used && !cursor.sink().refuses() {
            let message = format!("no API uses the upstream `{name}`");
            cursor.sink().report(section.spot(), section.at(), message, Severity::Low).help("remove it").done();
        }
    }
}

fn upstream(name: Arc<str>, section: &Cursor<'_>, surroundings: &Surroundings<'_>) -> Option<Upstream> {
    let targets = targets(&name, &section.word("targets"));
    let identity = identity(&section.word("identity"));
    let timeout = section.word("timeout");
    let read = |word: &str, default| bounded_duration(&timeout.word(word), TIMEOUT_MAX).unwrap_or(default);
    let (connect, first_byte, total) =
        (read("connect", CONNECT_DEFAULT), read("first_byte", FIRST_BYTE_DEFAULT), read("total", TOTAL_DEFAULT));
    if first_byte > total || connect > total {
        timeout
            .refuse("a part of the exchange may take longer than the whole")
            .help("`timeout.total` is the longest of the three");
    }
    let targets = targets?;
    Some(Upstream {
        name,
        tls: secured(&section.word("tls"), &targets, surroundings)?,
        http: http(&section.word("http")),
        targets,
        identity: identity?,
        connect_timeout: connect,
        first_byte_timeout: first_byte,
        total_timeout: total,
        retry: resilience::retry(&section.word("retry")),
        circuit_breaker: resilience::circuit_breaker(&section.word("circuit_breaker")),
        concurrency: resilience::concurrency(&section.word("concurrency")),
        health: resilience::health(&section.word("health")),
    })
}

fn targets(name: &str, cursor: &Cursor<'_>) -> Option<Vec<Target>> {
    let items = cursor.items();
    if cursor.is_present() && items.is_empty() {
        cursor.refuse("an upstream needs a target").help("write `targets: [http://HOST:PORT]`");
    }
    if items.len() > TARGETS_MAX {
        cursor
            .refuse(format!("more than {TARGETS_MAX} targets"))
            .help("put a name with several addresses in their place");
    }
    let mut targets: Vec<Target> = Vec::with_capacity(items.len());
    for item in &items {
        let Some(found) = target(item) else { continue };
        if targets.iter().any(|known| known.origin == found.origin) {
            item.refuse(format!("{} is in `upstreams.{name}.targets` already", item.shown()));
        } else if targets.first().is_some_and(|first| first.is_https() != found.is_https()) {
            item.refuse("some targets of one upstream are https and others http")
                .help("a request must not depend on which of them it goes to: write `https://` for all");
        } else if targets.first().is_some_and(|first| first.path != found.path) {
            item.refuse("the targets of one upstream have different paths")
                .help("they answer alike: what one serves below a path the others serve below the same");
        }
        targets.push(found);
    }
    (!targets.is_empty() && targets.len() == items.len()).then_some(targets)
}

/// `Some(None)`: plain http.
#[expect(clippy::option_option, reason = "plain http and nothing usable are two things")]
fn secured(
    cursor: &Cursor<'_>,
    targets: &[Target],
    surroundings: &Surroundings<'_>,
) -> Option<Option<UpstreamTlsFiles>> {
    let https = targets.iter().all(Target::is_https);
    match (cursor.is_present(), https) {
        (false, false) => Some(None),
        (false, true) => Some(Some(UpstreamTlsFiles::default())),
        (true, true) => tls::upstream(cursor, surroundings).map(Some),
        (true, false) => {
            cursor
                .refuse("`tls` says how https targets are spoken to, and these are http")
                .help("write `https://` in `targets`, or remove `tls`");
            None
        }
    }
}

/// Any other word was refused by the table.
fn http(cursor: &Cursor<'_>) -> Http {
    if cursor.is_present() && cursor.text() == Some("2") { Http::Two } else { Http::One }
}

fn identity(cursor: &Cursor<'_>) -> Option<UpstreamIdentity> {
    if !cursor.is_map() {
        cursor.text();
        return Some(UpstreamIdentity::None);
    }
    let header = cursor.word("header");
    if !header.is_present() && !cursor.word("assertion").is_present() {
        cursor.refuse("nothing says what the upstream is told").help("write `identity: none` or `{ header: NAME }`");
    }
    header.parse(header_name).map(UpstreamIdentity::Header)
}

fn target(cursor: &Cursor<'_>) -> Option<Target> {
    let url = cursor.url()?;
    if url.has_query {
        cursor.refuse("the address of an upstream has no query").help(ValueError::UrlQuery.to_string());
        return None;
    }
    if url.scheme == Scheme::Http && !url.is_loopback() {
        let message = format!("requests to {} travel over plain http", cursor.shown());
        cursor
            .sink()
            .report(cursor.spot(), cursor.at(), message, Severity::Low)
            .help("write `https://`, or keep it on a network nobody else is on")
            .rule("PC0405")
            .done();
    }
    if portcullis_wire::CanonicalPath::parse(&url.path).map_or(true, |path| path.as_str() != url.path) {
        cursor
            .refuse("the path of this address is not in canonical form")
            .help("no `..`, no `//`, no needless escapes");
        return None;
    }
    let path = url.path.trim_end_matches('/').to_owned();
    Some(Target {
        origin: format!("{}://{}", url.scheme.as_str(), url.authority),
        host: url.host,
        port: url.port,
        authority: url.authority,
        path,
    })
}
