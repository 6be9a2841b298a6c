// SPDX-License-Identifier: Apache-2.0
//! `tls` of the listener and of upstreams: the files are read here, so that what is wrong with one is reported with the
//! place that names it; those who shake hands read them again.

use std::path::PathBuf;
use std::sync::Arc;

use portcullis_decision::finding::Severity;
use portcullis_pki::{
    Authorities, ClientAuthentication, ClientCertificates, ClientFiles, Due, Ends, Fault, KeySource, Leaf, LeafFiles,
    Name, NameTable, Part, PkiError,
};
use portcullis_proxy::UpstreamTlsFiles;

use super::{Surroundings, secret};
use crate::cursor::Cursor;
use crate::loaded::ListenTls;
use crate::values::host;

/// The most certificates of the listener.
const ENTRIES_MAX: usize = 1_000;

/// `listen.public.tls`: one entry, or one for each certificate.
pub(super) fn listener(cursor: &Cursor<'_>, surroundings: &Surroundings<'_>) -> Vec<ListenTls> {
    let items = cursor.items();
    if cursor.is_present() && items.is_empty() {
        cursor.refuse("TLS without a certificate").help("write `tls: { certificate: PATH, key: { file: PATH } }`");
    }
    if items.len() > ENTRIES_MAX {
        cursor.refuse(format!("more than {ENTRIES_MAX} certificates"));
        return Vec::new();
    }
    let mut names = NameTable::default();
    (0_usize..).zip(&items).filter_map(|(index, item)| entry(item, surroundings, &mut names, index)).collect()
}

fn entry(
    cursor: &Cursor<'_>,
    surroundings: &Surroundings<'_>,
    taken: &mut NameTable,
    index: usize,
) -> Option<ListenTls> {
    let leaf = leaf_files(cursor, surroundings);
    let names = names(&cursor.word("names"));
    let clients = clients(cursor, surroundings);
    let entry = ListenTls { leaf: leaf?, names: names?, clients: clients? };
    let leaf = read(cursor, Leaf::load(&entry.leaf))?;
    report_end(&cursor.word("certificate"), &leaf.ends, surroundings);
    let served = read(cursor, leaf.serve(&entry.names))?;
    for name in served {
        if taken.insert(name.clone(), index).is_err() {
            cursor
                .word("certificate")
                .refuse(format!("two certificates serve `{name}`"))
                .help("a name has one certificate: say which names each serves with `names: […]`");
        }
    }
    if let Some(files) = &entry.clients {
        let loaded = read(cursor, ClientCertificates::load(files))?;
        for ends in &loaded.ends {
            let word = if ends.what == portcullis_pki::What::Revocations { "crl" } else { "client_ca" };
            report_end(&cursor.word(word), ends, surroundings);
        }
    }
    Some(entry)
}

/// `upstreams.X.tls`.
pub(super) fn upstream(cursor: &Cursor<'_>, surroundings: &Surroundings<'_>) -> Option<UpstreamTlsFiles> {
    let authorities = path(&cursor.word("ca"), surroundings);
    let shows = ["certificate", "key"].map(|word| cursor.word(word).is_present());
    let leaf = match shows {
        [false, false] => None,
        [true, true] => Some(leaf_files(cursor, surroundings)?),
        [certificate, _] => {
            let (word, missing) = if certificate { ("certificate", "key") } else { ("key", "certificate") };
            cursor
                .word(word)
                .refuse(format!("a `{word}` without its `{missing}`"))
                .help(format!("add `{missing}`, or remove the line"))
                .rule("PC0403");
            return None;
        }
    };
    let server_name = cursor.word("server_name");
    let name = server_name.parse(host);
    if server_name.is_present() && name.is_none() {
        return None;
    }
    if let Some(path) = &authorities {
        let loaded = read(cursor, Authorities::load(path))?;
        if let Some(ends) = &loaded.ends {
            report_end(&cursor.word("ca"), ends, surroundings);
        }
    }
    if let Some(files) = &leaf {
        let loaded = read(cursor, Leaf::load(files))?;
        report_end(&cursor.word("certificate"), &loaded.ends, surroundings);
    }
    Some(UpstreamTlsFiles { authorities, leaf, server_name: name })
}

fn path(cursor: &Cursor<'_>, surroundings: &Surroundings<'_>) -> Option<PathBuf> {
    cursor.text().map(|text| surroundings.path(text))
}

fn leaf_files(cursor: &Cursor<'_>, surroundings: &Surroundings<'_>) -> Option<LeafFiles> {
    let certificate = path(&cursor.word("certificate"), surroundings);
    let key = key(&cursor.word("key"), surroundings);
    Some(LeafFiles { certificate: certificate?, key: key? })
}

fn key(cursor: &Cursor<'_>, surroundings: &Surroundings<'_>) -> Option<KeySource> {
    if !cursor.is_map() {
        return None;
    }
    if cursor.word("env").is_present() {
        return secret::read(cursor, surroundings).map(|bytes| KeySource::Given(Arc::new(bytes)));
    }
    secret::file(cursor, surroundings).map(|(_, path)| KeySource::File(path))
}

/// `None`: one of them cannot be used, and is reported.
fn names(cursor: &Cursor<'_>) -> Option<Vec<Name>> {
    let items = cursor.items();
    if cursor.is_present() && items.is_empty() {
        cursor.refuse("an empty list of names serves nobody").help("remove it to serve every name of the certificate");
    }
    let name = |item: &Cursor<'_>| {
        let text = item.text()?;
        let name = Name::parse(text);
        if name.is_none() {
            item.refuse(format!("{} is no name a client could ask for", item.shown()))
                .help("write a host such as `api.example.com` or `*.example.com`, or an address");
        }
        name
    };
    items.iter().map(name).collect()
}

/// `Some(None)`: no certificates are asked for. A list or a mode without an authority is an error: it would read as a
/// control and be none (T105).
#[expect(clippy::option_option, reason = "nothing asked for and nothing usable are two things")]
fn clients(cursor: &Cursor<'_>, surroundings: &Surroundings<'_>) -> Option<Option<ClientFiles>> {
    let (ca, mode, crl) = (cursor.word("client_ca"), cursor.word("client_certificate"), cursor.word("crl"));
    let authentication = match mode.text() {
        Some("optional") => ClientAuthentication::Optional,
        // Who names an authority wants certificates, unless the file says that they are a choice.
        _ => ClientAuthentication::Required,
    };
    let revocations = path(&crl, surroundings);
    if ca.is_present() {
        let authorities = path(&ca, surroundings)?;
        if crl.is_present() && revocations.is_none() {
            return None;
        }
        return Some(Some(ClientFiles { authentication, authorities, revocations }));
    }
    for word in [&mode, &crl] {
        if word.is_present() {
            word.refuse("nothing says who vouches for clients")
                .help("add `client_ca: PATH`, or remove the line")
                .rule("PC0403");
            return None;
        }
    }
    Some(None)
}

/// The value, or a refusal at the word that named the file.
fn read<T>(cursor: &Cursor<'_>, result: Result<T, Fault>) -> Option<T> {
    let fault = match result {
        Ok(value) => return Some(value),
        Err(fault) => fault,
    };
    let first = |words: [&str; 2]| {
        let [one, other] = words.map(|word| cursor.word(word));
        if one.is_present() { one } else { other }
    };
    let at = match fault.part {
        Part::Certificate => cursor.word("certificate"),
        Part::Key => cursor.word("key"),
        Part::Authorities => first(["client_ca", "ca"]),
        Part::Revocations => cursor.word("crl"),
        Part::Names => cursor.word("names"),
    };
    let refused = at.refuse(fault.error.to_string());
    match fault.error {
        PkiError::Mismatch { .. } => refused.help("name the key the certificate was issued for").rule("PC0402").done(),
        PkiError::NoNames { .. } | PkiError::NotCovered { .. } => {
            refused.help("have it issued for the names clients ask for, as subject alternative names").done();
        }
        _ => refused.help("check the path, what is in the file, and who may read it").rule("PC0403").done(),
    }
    None
}

/// Tells of what ends soon, or has ended (F24).
fn report_end(cursor: &Cursor<'_>, ends: &Ends, surroundings: &Surroundings<'_>) {
    let wall = surroundings.environment.clock.wall();
    let severity = match ends.due(wall) {
        Due::Later => return,
        Due::Days30 => Severity::Low,
        Due::Days7 | Due::Day1 => Severity::Medium,
        Due::Ended => Severity::High,
    };
    cursor.report(severity, ends.tell(wall)).help("put a new one in its place; it is taken without a restart").done();
}
