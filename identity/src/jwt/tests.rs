// SPDX-License-Identifier: Apache-2.0
//! Kinds of caller, as issuers in wide use show them (BCP-4, JWT-9).

use super::profile::kind_of;
use portcullis_decision::Kind;
use serde_json::json;

#[test]
fn jwt_9_an_application_is_known_by_its_token() {
    for claims in [
        json!({"sub": "app", "client_id": "app"}),
        json!({"sub": "app", "azp": "app"}),
        json!({"sub": "app@clients", "azp": "app", "gty": "client-credentials"}),
        json!({"sub": "u", "grant_type": "client_credentials"}),
        json!({"sub": "u", "idtyp": "app"}),
    ] {
        assert_eq!(kind_of(claims.as_object().unwrap()), Kind::Client, "{claims}");
    }
    for claims in [json!({"sub": "u", "client_id": "app"}), json!({"sub": "u"}), json!({"sub": "u", "gty": "password"})]
    {
        assert_eq!(kind_of(claims.as_object().unwrap()), Kind::User, "{claims}");
    }
}
