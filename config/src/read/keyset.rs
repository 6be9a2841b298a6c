// SPDX-License-Identifier: Apache-2.0
//! Key sets in files: read here, so that a weak key is reported with its place; used by `identity`.

use portcullis_decision::finding::Severity;
use serde_json::Value;

use super::Surroundings;
use crate::cursor::Cursor;
use crate::text::{SIDE_FILE_BYTES_MAX, read_bytes};

/// The least an RSA key may have (SP 800-131A; JWT profile).
const RSA_BITS_MIN: usize = 2048;
/// The least it should have (ASVS level 2).
const RSA_BITS_WANTED: usize = 3072;

/// The bytes of a key set, unless it holds a key that must not be used.
pub(super) fn read(cursor: &Cursor<'_>, surroundings: &Surroundings<'_>) -> Option<Vec<u8>> {
    let file = cursor.word("file");
    let path = surroundings.path(file.text()?);
    surroundings.reads(&path);
    let bytes = match read_bytes(&path, SIDE_FILE_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(error) => {
            file.refuse(error.to_string()).help("check the path and who may read the file").rule("PC0403");
            return None;
        }
    };
    let keys = match serde_json::from_slice::<Value>(&bytes) {
        Ok(set) => set.get("keys").and_then(Value::as_array).cloned(),
        Err(_) => None,
    };
    let Some(keys) = keys.filter(|keys| !keys.is_empty()) else {
        file.refuse(format!("`{}` is no JWK set with keys", path.display()))
            .help("a JWK set is `{\"keys\": [ … ]}` (RFC 7517 §5)")
            .rule("PC0403");
        return None;
    };
    for key in &keys {
        weigh(key, &file);
    }
    surroundings.side_files.borrow_mut().push((path.display().to_string(), bytes.clone()));
    Some(bytes)
}

fn weigh(key: &Value, file: &Cursor<'_>) {
    let field = |name: &str| key.get(name).and_then(Value::as_str);
    let named = field("kid").map_or_else(String::new, |kid| {
        let kid: String = kid.chars().take(64).flat_map(char::escape_debug).collect();
        format!(" `{kid}`")
    });
    let private = ["d", "p", "q", "k"].iter().any(|name| key.get(*name).is_some());
    if private {
        file.refuse(format!("the key{named} is not public: it holds secret parts"))
            .help("publish only public keys; a shared secret goes to `secret:`")
            .rule("PC0401");
    }
    if let (Some("RSA"), Some(modulus)) = (field("kty"), field("n")) {
        // Six bits a character; an `A` in front is six zero bits.
        let bits = modulus.trim_start_matches('A').trim_end_matches('=').len().saturating_mul(6);
        if bits < RSA_BITS_MIN {
            file.refuse(format!("the RSA key{named} has less than {RSA_BITS_MIN} bits"))
                .help("ask the issuer for a key of 3072 bits, or for ES256 or EdDSA")
                .rule("PC0103");
        } else if bits < RSA_BITS_WANTED {
            let message = format!("the RSA key{named} has less than {RSA_BITS_WANTED} bits");
            file.sink()
                .report(file.spot(), file.at(), message, Severity::Low)
                .help("ask the issuer for a key of 3072 bits, or for ES256 or EdDSA")
                .rule("PC0105")
                .done();
        }
    }
}
