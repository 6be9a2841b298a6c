// SPDX-License-Identifier: Apache-2.0
//! C2SP `signed-note` (rows TL-2, TL-5): a text and a list of signatures, read strictly.

use crate::signer::{Signer, VerifyingKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// At most this many bytes of a note are read.
pub(crate) const NOTE_BYTES_MAX: usize = 64 * 1024;
/// At most this many signatures are looked at; the specification asks for at least 16.
const SIGNATURES_MAX: usize = 100;
/// A signature line begins with an em dash (U+2014) and a space.
const SIGNATURE_PREFIX: &str = "\u{2014} ";
/// Bytes of a key id before the signature proper.
const KEY_ID_BYTES: usize = 4;

/// Why a note does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoteError {
    #[error("it is not a signed note")]
    Malformed,
    #[error("it has more signatures than can be looked at")]
    TooManySignatures,
    #[error("the signature by the known key is wrong")]
    WrongSignature,
    #[error("it is not signed by the given key")]
    NotSigned,
}

/// Signs `text`, which must end with a newline.
pub(crate) fn sign(text: &str, signer: &Signer) -> String {
    let verifier = signer.verifying_key();
    let mut blob = verifier.key_id().to_vec();
    blob.extend_from_slice(&signer.sign(text.as_bytes()));
    format!("{text}\n{SIGNATURE_PREFIX}{} {}\n", verifier.name(), STANDARD.encode(blob))
}

/// The text of a note that `key` signed. Signatures by other keys are ignored; a wrong one by `key` is an error.
pub(crate) fn open<'n>(note: &'n [u8], key: &VerifyingKey) -> Result<&'n str, NoteError> {
    if note.len() > NOTE_BYTES_MAX {
        return Err(NoteError::Malformed);
    }
    let note = std::str::from_utf8(note).map_err(|_| NoteError::Malformed)?;
    if note.chars().any(|c| c < ' ' && c != '\n') {
        return Err(NoteError::Malformed);
    }
    let (before, signatures) = note.rsplit_once("\n\n").ok_or(NoteError::Malformed)?;
    // The text keeps its last newline; the blank line belongs to neither part.
    let text = note.split_at_checked(before.len().saturating_add(1)).map(|(t, _)| t).ok_or(NoteError::Malformed)?;
    let lines = signatures.strip_suffix('\n').ok_or(NoteError::Malformed)?;
    let mut signed = false;
    for (count, line) in lines.split('\n').enumerate() {
        if count >= SIGNATURES_MAX {
            return Err(NoteError::TooManySignatures);
        }
        let (name, blob) = parse_signature(line)?;
        let (id, signature) = blob.split_at_checked(KEY_ID_BYTES).ok_or(NoteError::Malformed)?;
        if signature.is_empty() {
            return Err(NoteError::Malformed);
        }
        if name == key.name() && id == key.key_id() {
            if !key.verifies(text.as_bytes(), signature) {
                return Err(NoteError::WrongSignature);
            }
            signed = true;
        }
    }
    if signed { Ok(text) } else { Err(NoteError::NotSigned) }
}

fn parse_signature(line: &str) -> Result<(&str, Vec<u8>), NoteError> {
    let rest = line.strip_prefix(SIGNATURE_PREFIX).ok_or(NoteError::Malformed)?;
    let (name, blob) = rest.split_once(' ').ok_or(NoteError::Malformed)?;
    if name.is_empty() || name.contains(|c: char| c == '+' || c.is_whitespace()) {
        return Err(NoteError::Malformed);
    }
    Ok((name, STANDARD.decode(blob).map_err(|_| NoteError::Malformed)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the `signed-note` specification and of Go's `sumdb/note`.
    const GO_VKEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const GO_NOTE: &str = "If you think cryptography is the answer to your problem,\n\
        then you don't know what your problem is.\n\n\
        \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    #[test]
    fn tl_3_the_key_and_note_of_the_go_implementation_verify() {
        let key = VerifyingKey::parse(GO_VKEY).unwrap();
        let text = open(GO_NOTE.as_bytes(), &key).unwrap();
        assert!(text.ends_with("what your problem is.\n"));
        assert_eq!(key.to_string(), GO_VKEY);
    }

    #[test]
    fn tl_5_unknown_signatures_are_ignored_and_a_wrong_known_one_is_not() {
        let (ours, other) = (Signer::generate("gate.test").unwrap(), Signer::generate("gate.test").unwrap());
        let note = sign("gate.test\n1\nAAAA\n", &ours);
        let (_, foreign) =
            sign("other\n", &other).rsplit_once("\n\n").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        let many = format!("{note}{}", foreign.repeat(16));
        assert!(open(many.as_bytes(), &ours.verifying_key()).is_ok());
        // A second line of our key over another text must not be outvoted by the good one.
        let (_, wrong) =
            sign("another text\n", &ours).rsplit_once("\n\n").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        let mixed = format!("{note}{wrong}");
        assert_eq!(open(mixed.as_bytes(), &ours.verifying_key()), Err(NoteError::WrongSignature));
        assert_eq!(open(note.as_bytes(), &other.verifying_key()), Err(NoteError::NotSigned));
        let crowd = format!("{note}{}", foreign.repeat(100));
        assert_eq!(open(crowd.as_bytes(), &ours.verifying_key()), Err(NoteError::TooManySignatures));
    }

    #[test]
    fn tl_2_notes_that_bend_the_form_are_refused() {
        let signer = Signer::generate("gate.test").unwrap();
        let good = sign("gate.test\n1\nAAAA\n", &signer);
        let bent = [
            good.trim_end().to_owned(),
            good.replace('\u{2014}', "-"),
            good.replace("\n\n", "\n"),
            good.replace("gate.test\n1", "gate.test\r\n1"),
            good.replace("\u{2014} gate.test ", "\u{2014} gate.test\u{a0}"),
            format!("{good}\n"),
            format!("{good}trailing"),
            String::new(),
        ];
        for note in bent {
            assert!(open(note.as_bytes(), &signer.verifying_key()).is_err(), "{note:?}");
        }
    }

    #[test]
    fn tl_6_a_line_of_another_algorithm_is_ignored() {
        let signer = Signer::generate("gate.test").unwrap();
        let blob = STANDARD.encode([vec![1, 2, 3, 4], vec![9; 2420]].concat());
        let note = format!("{}\u{2014} witness.test {blob}\n", sign("gate.test\n1\nAAAA\n", &signer));
        assert!(open(note.as_bytes(), &signer.verifying_key()).is_ok());
    }
}
