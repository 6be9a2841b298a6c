// SPDX-License-Identifier: Apache-2.0
//! Where APIs are mounted: no two may answer for one path. (Paths of the gateway itself are refused by `contract`.)

use portcullis_wire::CanonicalPath;

use crate::cursor::Cursor;
use crate::loaded::Api;

/// Refuses two APIs that would answer for the same request.
pub(super) fn refuse_overlaps(apis: &[(Api, Cursor<'_>)]) {
    for (index, (one, cursor)) in (0_usize..).zip(apis) {
        for (other, _) in apis.iter().take(index) {
            let hosts_meet = one.hosts.is_empty()
                || other.hosts.is_empty()
                || one.hosts.iter().any(|host| other.hosts.contains(host));
            let paths_meet = is_below(&one.base_path, &other.base_path) || is_below(&other.base_path, &one.base_path);
            if hosts_meet && paths_meet {
                cursor
                    .refuse(format!("`{}` and `{}` answer for the same hosts and paths", one.name, other.name))
                    .help("give each its own `hosts`, or a `base_path` that is not below the other's");
            }
        }
    }
}

fn is_below(path: &CanonicalPath, base: &CanonicalPath) -> bool {
    base.as_str() == "/" || path.strip_base(base).is_some()
}
