// SPDX-License-Identifier: Apache-2.0
//! A connection made for one name, and requests for others.

use crate::gate::{HOST, Stand};
use portcullis_pipeline::{Handshake, Policies, PolicyId};
use std::sync::Arc;

/// One name without demands, and everything of the API's with them.
struct Names;

impl Policies for Names {
    fn policy_of(&self, host: &str) -> Option<PolicyId> {
        match host {
            "open.example" => Some(PolicyId(0)),
            host if host == HOST => Some(PolicyId(1)),
            _ => None,
        }
    }
}

fn made_for(name: &str) -> Arc<Handshake> {
    Arc::new(Handshake {
        server_name: Some(name.into()),
        policy: Names.policy_of(name).unwrap(),
        client_certificate: None,
        version: "TLSv1_3",
        cipher_suite: "TLS13_AES_256_GCM_SHA384",
        policies: Arc::new(Names),
    })
}

#[tokio::test]
async fn t54_another_name_with_other_demands_is_misdirected() {
    let stand = Stand::new();
    let reply = stand.call("GET", "/status").over(made_for("open.example")).send().await;
    stand.refused(&reply, 421, "route.host");
}

#[tokio::test]
async fn t54_a_name_the_listener_does_not_serve_is_misdirected() {
    let stand = Stand::new();
    let reply = stand.call_at("nobody.example", "GET", "/status").over(made_for(HOST)).send().await;
    stand.refused(&reply, 421, "route.host");
}

#[tokio::test]
async fn t54_the_name_it_was_made_for_is_served() {
    let stand = Stand::new();
    let reply = stand.call("GET", "/status").over(made_for(HOST)).send().await;
    assert_eq!(reply.status, 200, "{reply:?}");
}
