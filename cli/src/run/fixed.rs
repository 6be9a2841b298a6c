// SPDX-License-Identifier: Apache-2.0
//! What a process decides once: a reload that would change it is refused, with what to do instead.

use portcullis_config::{Edge, Loaded};
use std::fmt::Debug;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// What stays as it was at the start.
pub(crate) struct Fixed {
    public: SocketAddr,
    tls: bool,
    admin: Option<SocketAddr>,
    audit_directory: PathBuf,
    audit_key: PathBuf,
    checkpoint: Duration,
    edge: Edge,
    body_bytes_max: usize,
}

impl Fixed {
    /// As a configuration says.
    pub(crate) fn of(loaded: &Loaded) -> Self {
        Self {
            public: loaded.listen.public,
            tls: !loaded.listen.tls.is_empty(),
            admin: loaded.listen.admin,
            audit_directory: loaded.audit.directory.clone(),
            audit_key: loaded.audit.key.path().clone(),
            checkpoint: loaded.audit.checkpoint,
            edge: loaded.edge.clone(),
            body_bytes_max: crate::wire_up::body_bytes_max(loaded),
        }
    }

    /// What another configuration would change, as errors.
    pub(crate) fn differences(&self, loaded: &Loaded) -> Vec<String> {
        let mut found = Vec::new();
        let mut differs = |word: &str, before: &dyn Debug, now: &dyn Debug, what: &str| {
            let (before, now) = (format!("{before:?}"), format!("{now:?}"));
            if before != now {
                found.push(format!(
                    "error: `{word}` changes from {before} to {now}, which a running gateway cannot do\n  help: {what}"
                ));
            }
        };
        let restart = "put it back and reload, or start anew: `portcullis run --take-over` refuses no connection";
        let stop = "put it back and reload, or stop the gateway and start it again: a trail has one place and one key";
        differs("listen.public.address", &self.public, &loaded.listen.public, restart);
        differs("listen.public.tls (whether there is any)", &self.tls, &!loaded.listen.tls.is_empty(), restart);
        differs("listen.admin.address", &self.admin, &loaded.listen.admin, restart);
        differs("audit.directory", &self.audit_directory, &loaded.audit.directory, stop);
        differs("audit.key", &self.audit_key, loaded.audit.key.path(), stop);
        differs("audit.checkpoint", &self.checkpoint, &loaded.audit.checkpoint, restart);
        let (old, new) = (&self.edge, &loaded.edge);
        differs("edge.connections.max", &old.connections_max, &new.connections_max, restart);
        differs("edge.connections.per_address", &old.connections_per_address, &new.connections_per_address, restart);
        differs("edge.connections.requests", &old.requests_per_connection, &new.requests_per_connection, restart);
        differs("edge.connections.idle", &old.idle_timeout, &new.idle_timeout, restart);
        differs("edge.head.max", &old.head_bytes_max, &new.head_bytes_max, restart);
        differs("edge.head.fields", &old.fields_max, &new.fields_max, restart);
        differs("edge.head.timeout", &old.head_timeout, &new.head_timeout, restart);
        differs("edge.body.min_rate", &old.body_min_rate, &new.body_min_rate, restart);
        differs("edge.body.timeout", &old.body_timeout, &new.body_timeout, restart);
        let body_bytes_max = crate::wire_up::body_bytes_max(loaded);
        if body_bytes_max > self.body_bytes_max {
            differs("body.max (the largest of all)", &self.body_bytes_max, &body_bytes_max, restart);
        }
        found
    }
}
