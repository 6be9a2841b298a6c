// SPDX-License-Identifier: Apache-2.0
//! What a new configuration protects less than the one before: told to the operator and written into the trail (F03).

use portcullis_authorize::{Described, DescribedObject};
use portcullis_pipeline::Gate;
use std::collections::HashMap;
use std::sync::Arc;

/// What a gate does about one operation.
struct Cover {
    public: bool,
    described: Described,
}

/// The difference between two gates.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Difference {
    /// Controls that are gone or weaker, one line each.
    pub(crate) weaker: Vec<String>,
    /// Operations that are not served any more.
    pub(crate) gone: Vec<String>,
    /// Operations served now.
    pub(crate) served: usize,
}

/// Compares what two gates serve, operation by operation.
pub(crate) fn compare(old: &Gate, new: &Gate) -> Difference {
    let (old, new) = (covers(old), covers(new));
    let mut difference = Difference { served: new.len(), ..Difference::default() };
    for (name, before) in &old {
        match new.get(name) {
            None => difference.gone.push(name.to_string()),
            Some(now) => weaker(name, before, now, &mut difference.weaker),
        }
    }
    difference.weaker.sort();
    difference.gone.sort();
    difference
}

/// Every operation that is served, by its lasting name.
fn covers(gate: &Gate) -> HashMap<Arc<str>, Cover> {
    let mut covers = HashMap::new();
    for api in &gate.apis {
        let described = api.authorizer.describe();
        for (settings, described) in api.operations.iter().zip(described).filter(|(settings, _)| settings.served) {
            covers.insert(Arc::clone(&settings.name), Cover { public: settings.public, described });
        }
    }
    covers
}

fn weaker(name: &str, before: &Cover, now: &Cover, found: &mut Vec<String>) {
    if now.public && !before.public {
        found.push(format!("{name}: anybody may call it, authentication is gone"));
        return;
    }
    // Every way in must have been one before: some alternative of before, and perhaps more.
    let asked = |scopes: &[Arc<str>]| {
        before.described.scopes.is_empty()
            || before.described.scopes.iter().any(|all| all.iter().all(|scope| scopes.contains(scope)))
    };
    let all_asked = if now.described.scopes.is_empty() {
        before.described.scopes.is_empty() || before.described.scopes.iter().any(Vec::is_empty)
    } else {
        now.described.scopes.iter().all(|alternative| asked(alternative))
    };
    if !all_asked && !now.public {
        found.push(format!("{name}: scopes that were needed are not needed any more"));
    }
    if before.described.allow.is_some() && now.described.allow.is_none() {
        found.push(format!("{name}: the rule who may call it is gone"));
    }
    let same = |one: &DescribedObject, other: &DescribedObject| one.object == other.object && one.id == other.id;
    for object in &before.described.objects {
        if !now.described.objects.iter().any(|other| same(object, other)) {
            found.push(format!("{name}: {} is not judged any more", object.object));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Method;

    fn cover(public: bool, scopes: &[&[&str]], objects: &[&str]) -> Cover {
        let object = |name: &&str| DescribedObject {
            object: (*name).into(),
            id: None,
            action: portcullis_authorize::Action::Read,
            rule: "owner".into(),
            known: portcullis_authorize::KnownBy::Answer,
            interval: false,
        };
        Cover {
            public,
            described: Described {
                operation: "getOrder".into(),
                method: Method::GET,
                template: "/orders/{orderId}".into(),
                served: true,
                public,
                scopes: scopes.iter().map(|all| all.iter().map(|s| (*s).into()).collect()).collect(),
                allow: None,
                objects: objects.iter().map(object).collect(),
            },
        }
    }

    #[test]
    fn f03_less_than_before_is_found_and_more_is_not() {
        let found = |before: &Cover, now: &Cover| {
            let mut found = Vec::new();
            weaker("orders#getOrder", before, now, &mut found);
            found
        };
        let base = cover(false, &[&["read", "orders"]], &["Order"]);
        assert!(found(&base, &base).is_empty());
        assert!(found(&base, &cover(false, &[&["read", "orders", "more"]], &["Order", "Note"])).is_empty());
        for (now, word) in [
            (cover(true, &[], &["Order"]), "authentication"),
            (cover(false, &[], &["Order"]), "scopes"),
            (cover(false, &[&["read"]], &["Order"]), "scopes"),
            (cover(false, &[&["read", "orders"], &["staff"]], &["Order"]), "scopes"),
            (cover(false, &[&["read", "orders"]], &[]), "Order"),
        ] {
            let found = found(&base, &now);
            assert!(found.len() == 1 && found[0].contains(word), "{word}: {found:?}");
        }
    }
}
