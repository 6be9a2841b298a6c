// SPDX-License-Identifier: Apache-2.0
//! C2SP `tlog-checkpoint` (rows TL-2, TL-7): origin, size and root, nothing else, inside a signed note.

use crate::merkle::Hash;
use crate::note;
use crate::signer::{Signer, VerifyingKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt;

/// What a checkpoint says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The name of the log.
    pub origin: String,
    /// How many records it covers.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root))
    }
}

impl Checkpoint {
    /// The signed note of this checkpoint.
    pub(crate) fn sign(&self, signer: &Signer) -> String {
        note::sign(&self.to_string(), signer)
    }

    /// Opens a signed checkpoint: the signature by `key` must be there and right, and the origin must be the key's name.
    pub(crate) fn open(note: &[u8], key: &VerifyingKey) -> Result<Self, String> {
        let text = note::open(note, key).map_err(|e| e.to_string())?;
        let checkpoint = Self::parse(text).ok_or("its text is not a checkpoint")?;
        if checkpoint.origin != key.name() {
            return Err("its origin is not the name in the key".to_owned());
        }
        Ok(checkpoint)
    }

    /// Reads a checkpoint without looking at its signatures.
    pub(crate) fn peek(note: &[u8]) -> Option<Self> {
        let (before, _) = std::str::from_utf8(note).ok()?.rsplit_once("\n\n")?;
        Self::parse(&format!("{before}\n"))
    }

    /// Reads the text of a checkpoint. Extension lines (row TL-7) are not written by this log and not accepted.
    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
        if lines.next().is_some() || origin.is_empty() {
            return None;
        }
        let digits = size.bytes().all(|b| b.is_ascii_digit()) && (size == "0" || !size.starts_with('0'));
        let root = STANDARD.decode(root).ok()?.try_into().ok()?;
        let size = digits.then(|| size.parse().ok())??;
        Some(Self { origin: origin.to_owned(), size, root })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::empty_root;

    #[test]
    fn tl_2_and_tl_7_a_checkpoint_has_exactly_three_lines() {
        let checkpoint = Checkpoint { origin: "gate.test".to_owned(), size: 0, root: empty_root() };
        let text = checkpoint.to_string();
        assert_eq!(text, "gate.test\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n");
        assert_eq!(Checkpoint::parse(&text), Some(checkpoint));
    }

    #[test]
    fn tl_2_sizes_and_roots_that_bend_the_form_are_refused() {
        let root = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        let bad = [
            format!("gate\n01\n{root}\n"),
            format!("gate\n+1\n{root}\n"),
            format!("gate\n-1\n{root}\n"),
            format!("gate\n\n{root}\n"),
            format!("gate\n18446744073709551616\n{root}\n"),
            format!("\n1\n{root}\n"),
            format!("gate\n1\n{root}\nextension\n"),
            format!("gate\n1\n{root}"),
            "gate\n1\nAAAA\n".to_owned(),
            "gate\n1\n".to_owned(),
        ];
        for text in bad {
            assert_eq!(Checkpoint::parse(&text), None, "{text:?}");
        }
    }

    #[test]
    fn t112_a_checkpoint_of_another_origin_or_key_does_not_open() {
        let (ours, other) = (Signer::generate("gate.test").unwrap(), Signer::generate("gate.test").unwrap());
        let mut checkpoint = Checkpoint { origin: "gate.test".to_owned(), size: 7, root: empty_root() };
        assert_eq!(Checkpoint::open(checkpoint.sign(&ours).as_bytes(), &ours.verifying_key()), Ok(checkpoint.clone()));
        assert!(Checkpoint::open(checkpoint.sign(&other).as_bytes(), &ours.verifying_key()).is_err());
        checkpoint.origin = "elsewhere".to_owned();
        assert!(Checkpoint::open(checkpoint.sign(&ours).as_bytes(), &ours.verifying_key()).is_err());
    }
}
