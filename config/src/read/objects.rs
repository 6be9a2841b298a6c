// SPDX-License-Identifier: Apache-2.0
//! `objects` and `properties` of an API: whose objects they are, and who may read and write what.

use std::collections::HashMap;
use std::sync::Arc;

use portcullis_authorize::{DenyAs, IdPlace, ObjectDeclaration, Pointer, PropertyDeclaration, Rules, SubjectSource};
use portcullis_contract::Contract;

use super::apis::Known;
use super::words::{self, Names, Where};
use crate::cursor::Cursor;
use crate::suggest::did_you_mean;

/// The most object types of one API.
const OBJECTS_MAX: usize = 500;

/// What is left of an API while its objects are read.
pub(super) struct Scene<'a> {
    pub(super) known: &'a Known<'a>,
    /// The document, where it could be read.
    pub(super) contract: Option<&'a Contract>,
}

pub(super) fn objects(cursor: &Cursor<'_>, scene: &Scene<'_>) -> Vec<ObjectDeclaration> {
    let sections = cursor.entries();
    if sections.len() > OBJECTS_MAX {
        cursor.refuse(format!("more than {OBJECTS_MAX} types of object"));
    }
    let mut ids: HashMap<String, &str> = HashMap::new();
    let mut objects = Vec::new();
    for (name, section) in sections.into_iter().take(OBJECTS_MAX) {
        let id = section.word("id");
        if let Some(text) = id.text()
            && let Some(other) = ids.insert(text.to_owned(), name)
        {
            id.refuse(format!("`{other}` and `{name}` both have their id at {}", id.shown()))
                .help("name a template where the parameter has two meanings, such as `/orders/{id}`");
        }
        objects.extend(object(name, &section, scene));
    }
    objects
}

fn object(name: &str, section: &Cursor<'_>, scene: &Scene<'_>) -> Option<ObjectDeclaration> {
    let relations: Vec<&str> = section.word("relations").entries().iter().map(|(name, _)| *name).collect();
    let names = Names { plans: scene.known.plans, relations: &relations };
    let id = section.word("id").parse(id_place);
    let owner = section.word("owner");
    let owner_pointer = owner.parse(Pointer::parse);
    let id_is_owner = section.word("id_is_owner").flag().unwrap_or(false);
    if owner.is_present() && id_is_owner {
        section
            .word("id_is_owner")
            .refuse("the owner stands in the object or is its id, not both")
            .help("remove `owner` or `id_is_owner`");
    }
    let rules = section.word("rules");
    let rule = |word: &str| words::read(&rules.word(word), Where::Rule, names);
    let rules = Rules { read: rule("read"), create: rule("create"), update: rule("update"), delete: rule("delete") };
    let schemas = section.word("schemas");
    if schemas.is_present() && schemas.items().is_empty() {
        schemas.refuse("no schema represents the object").help("remove the line: its own name is the default");
    }
    let lookup = section.word("lookup");
    let lookup_name = lookup.text().map(str::to_owned);
    if let (Some(contract), Some(named)) = (scene.contract, &lookup_name) {
        check_lookup(contract, named, &lookup);
    }
    let deny_as = match section.word("deny_as").text() {
        Some("403") => DenyAs::Forbidden,
        _ => DenyAs::NotFound,
    };
    Some(ObjectDeclaration {
        name: name.into(),
        place: section.key_place(),
        schemas: schemas.items().iter().filter_map(Cursor::shared).collect(),
        owner: owner_pointer,
        id_is_owner,
        subject: subject(&section.word("subject")),
        issuers: issuers(section, scene.known.issuers),
        lookup: lookup_name,
        key: section.word("key").parse(Pointer::parse),
        rules,
        deny_as,
        id: id?,
    })
}

fn id_place(text: &str) -> Result<IdPlace, &'static str> {
    match IdPlace::parse(text) {
        IdPlace::Template(template) if !template.ends_with('}') => {
            Err("a template ends with the parameter that is the id, such as `/orders/{id}`")
        }
        IdPlace::Parameter(name) if name.contains(['/', '{', '}', ' ']) => {
            Err("an id is a parameter's name, or a template that begins with `/`")
        }
        place => Ok(place),
    }
}

fn subject(cursor: &Cursor<'_>) -> SubjectSource {
    let Some(text) = cursor.text() else { return SubjectSource::Sub };
    match text.split_once(':') {
        None if text == "sub" => SubjectSource::Sub,
        Some(("claim", claim)) if !claim.trim().is_empty() => SubjectSource::Claim(claim.into()),
        None | Some(("attribute", _)) if text == "client_id" || text.starts_with("attribute:") => {
            cursor
                .refuse(format!("{} is not supported yet", cursor.shown()))
                .help("compare with `sub` or `claim:NAME`; a later version knows more");
            SubjectSource::Sub
        }
        _ => {
            cursor
                .refuse(format!("{} is no value of `subject`", cursor.shown()))
                .help(did_you_mean(text, ["sub", "claim:NAME"]));
            SubjectSource::Sub
        }
    }
}

fn issuers(section: &Cursor<'_>, known: &[Arc<str>]) -> Vec<Arc<str>> {
    let cursor = section.word("issuers");
    let items = cursor.items();
    for item in &items {
        if let Some(name) = item.text().filter(|name| !known.iter().any(|issuer| **issuer == **name)) {
            item.refuse(format!("there is no issuer {}", item.shown()))
                .help(did_you_mean(name, known.iter().map(|name| &**name)));
        }
    }
    // Several issuers and none named is PC0205, which `authorize` finds: only where a rule needs an owner.
    if items.is_empty() && cursor.is_present() {
        cursor.refuse("an empty list of issuers says nothing").help("name issuers, or remove the line");
    }
    items.iter().filter_map(Cursor::shared).collect()
}

fn check_lookup(contract: &Contract, named: &str, cursor: &Cursor<'_>) {
    match contract.find(named).and_then(|index| contract.operations.get(index.to_usize())) {
        None => cursor
            .refuse(format!("the document has no operation {}", cursor.shown()))
            .help(did_you_mean(named, contract.operations.iter().map(|operation| &*operation.id)))
            .done(),
        Some(operation) if operation.method != http::Method::GET => cursor
            .refuse(format!(
                "{} is a {}, and only a GET is safe to look things up with",
                cursor.shown(),
                operation.method
            ))
            .help("name the GET that loads one object")
            .done(),
        Some(_) => {}
    }
}

pub(super) fn properties(cursor: &Cursor<'_>, known: &Known<'_>) -> Vec<PropertyDeclaration> {
    let names = Names { plans: known.plans, relations: &[] };
    let mut declared = Vec::new();
    for (schema, properties) in cursor.entries() {
        for (property, section) in properties.entries() {
            let list = |word: &str| words::read(&section.word(word), Where::Property, names).map(|list| list.words);
            let (read, write) = (list("read"), list("write"));
            if section.is_map() && read.is_none() && write.is_none() {
                section
                    .refuse(format!("nothing is said about `{schema}.{property}`"))
                    .help("write `{ read: [WORD] }` or `{ write: [WORD] }`");
            }
            let (schema, property) = (schema.into(), property.into());
            declared.push(PropertyDeclaration { schema, property, read, write, place: section.key_place() });
        }
    }
    declared
}
