// SPDX-License-Identifier: Apache-2.0
//! `RateLimit` fields an origin sent itself (RL-9).

use http::{HeaderMap, HeaderName};
use sfv::{BareItem, FieldType, Item, List, ListEntry, Parser, StringRef};

/// More than this of an origin's field is not read.
const FIELD_BYTES_MAX: usize = 4096;
/// At most this many items of it are kept.
const ITEMS_MAX: usize = 16;

/// The origin's items as text, those whose name is `taken` renamed to `upstream-NAME`; `None` where there are none or
/// the field is not a list of strings.
pub(super) fn items(headers: &HeaderMap, name: &HeaderName, taken: impl Fn(&str) -> bool) -> Option<String> {
    let mut text = String::new();
    for value in headers.get_all(name) {
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(value.to_str().ok()?);
        if text.len() > FIELD_BYTES_MAX {
            return None;
        }
    }
    let list: List = Parser::new(&text).parse().ok()?;
    let mut kept: List = Vec::new();
    for entry in list.into_iter().take(ITEMS_MAX) {
        let ListEntry::Item(Item { bare_item: BareItem::String(item_name), params }) = entry else { return None };
        let renamed = if taken(item_name.as_str()) {
            StringRef::from_str(&["upstream-", item_name.as_str()].concat()).ok()?.to_owned()
        } else {
            item_name
        };
        kept.push(ListEntry::Item(Item { bare_item: BareItem::String(renamed), params }));
    }
    kept.serialize()
}
