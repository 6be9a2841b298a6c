// SPDX-License-Identifier: Apache-2.0
//! The key that signs checkpoints, and the key that checks them, in the text forms of C2SP `signed-note` (row TL-3).
//!
//! The private key is one line `PRIVATE+KEY+NAME+HASH+BASE64` in a file of mode 0600; beside it stands `FILE.pub` with
//! one verifier key line `NAME+HASH+BASE64`. The name is the log's origin.

use crate::error::AuditError;
use crate::merkle::Hash;
use crate::text::hex;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_decision::Secret;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// At most this many characters name a log.
pub(crate) const ORIGIN_CHARS_MAX: usize = 128;
/// At most this many bytes of a key file are read.
const KEY_FILE_BYTES_MAX: u64 = 1024;
const PRIVATE_PREFIX: &str = "PRIVATE+KEY+";
/// The type byte of Ed25519 in key ids and keys.
const ED25519_TYPE: u8 = 0x01;
const SEED_BYTES: usize = 32;

/// A verifier key: the name of the log and its Ed25519 public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyingKey {
    name: String,
    id: [u8; 4],
    public: Hash,
}

impl VerifyingKey {
    fn new(name: &str, public: Hash) -> Self {
        let mut input = name.as_bytes().to_vec();
        input.extend_from_slice(&[b'\n', ED25519_TYPE]);
        input.extend_from_slice(&public);
        let hash = digest(&SHA256, &input);
        let mut id = [0; 4];
        id.iter_mut().zip(hash.as_ref()).for_each(|(to, from)| *to = *from);
        Self { name: name.to_owned(), id, public }
    }

    /// Reads a verifier key line.
    pub fn parse(line: &str) -> Result<Self, AuditError> {
        let problem = |problem| AuditError::Key { path: None, problem };
        // Base 64 may hold `+`, so the line is cut from the left.
        let mut parts = line.trim_end_matches(['\r', '\n']).splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(problem("a verifier key is NAME+HASH+BASE64"));
        };
        check_origin(name)?;
        let bytes = STANDARD.decode(key).map_err(|_| problem("its key is not base64"))?;
        let Some((&ED25519_TYPE, public)) = bytes.split_first() else {
            return Err(problem("it is not an Ed25519 key"));
        };
        let public = Hash::try_from(public).map_err(|_| problem("an Ed25519 key has 32 bytes"))?;
        let key = Self::new(name, public);
        if id == hex(&key.id) { Ok(key) } else { Err(problem("its hash does not match its name and key")) }
    }

    /// Reads the file that stands beside a private key.
    pub fn load(path: &Path) -> Result<Self, AuditError> {
        let text = read_short(path)?;
        Self::parse(&text).map_err(|e| with_path(e, path))
    }

    /// The log's origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn key_id(&self) -> [u8; 4] {
        self.id
    }

    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.public).verify(message, signature).is_ok()
    }
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = vec![ED25519_TYPE];
        key.extend_from_slice(&self.public);
        write!(f, "{}+{}+{}", self.name, hex(&self.id), STANDARD.encode(key))
    }
}

/// A signing key with the name of its log.
pub struct Signer {
    pair: Ed25519KeyPair,
    seed: Secret<[u8; SEED_BYTES]>,
    verifying: VerifyingKey,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("verifying", &self.verifying).finish_non_exhaustive()
    }
}

impl Signer {
    /// A new key for the log `origin`.
    pub fn generate(origin: &str) -> Result<Self, AuditError> {
        check_origin(origin)?;
        let mut seed = [0; SEED_BYTES];
        aws_lc_rs::rand::fill(&mut seed)
            .map_err(|_| AuditError::Key { path: None, problem: "the system gave no random bytes" })?;
        Self::from_seed(origin, Secret::new(seed))
    }

    fn from_seed(origin: &str, seed: Secret<[u8; SEED_BYTES]>) -> Result<Self, AuditError> {
        let problem = |problem| AuditError::Key { path: None, problem };
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.expose()).map_err(|_| problem("it is not a key"))?;
        let public = Hash::try_from(pair.public_key().as_ref()).map_err(|_| problem("it is not a key"))?;
        Ok(Self { pair, seed, verifying: VerifyingKey::new(origin, public) })
    }

    /// Reads a private key. A file that others may read is refused.
    pub fn load(path: &Path) -> Result<Self, AuditError> {
        let metadata = std::fs::metadata(path).map_err(AuditError::io("read", path))?;
        if metadata.permissions().mode() & 0o077 != 0 {
            let problem = "others may read it; its mode must be 0600";
            return Err(AuditError::Key { path: Some(path.to_path_buf()), problem });
        }
        let text = Secret::new(read_short(path)?);
        Self::parse(text.expose()).map_err(|e| with_path(e, path))
    }

    fn parse(text: &str) -> Result<Self, AuditError> {
        let problem = |problem| AuditError::Key { path: None, problem };
        let line = text.strip_suffix('\n').unwrap_or(text);
        let mut parts = line.strip_prefix(PRIVATE_PREFIX).ok_or(problem("it is no audit key"))?.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(problem("it is no audit key"));
        };
        check_origin(name)?;
        let bytes = Secret::new(STANDARD.decode(key).map_err(|_| problem("it is no audit key"))?);
        let Some((&ED25519_TYPE, seed)) = bytes.expose().split_first() else {
            return Err(problem("it is not an Ed25519 key"));
        };
        let seed = Secret::new(seed.try_into().map_err(|_| problem("an Ed25519 key has 32 bytes"))?);
        let signer = Self::from_seed(name, seed)?;
        if id == hex(&signer.verifying.id) { Ok(signer) } else { Err(problem("its hash does not match")) }
    }

    /// Writes the private key to `path` (mode 0600) and its verifier key to `path.pub`; answers with the latter's path.
    /// Neither file may exist.
    pub fn save(&self, path: &Path) -> Result<PathBuf, AuditError> {
        let public_path = public_path(path);
        let key = Secret::new([&[ED25519_TYPE], self.seed.expose().as_slice()].concat());
        let (name, id) = (&self.verifying.name, hex(&self.verifying.id));
        let line = Secret::new(format!("{PRIVATE_PREFIX}{name}+{id}+{}\n", STANDARD.encode(key.expose())));
        write_new(path, line.expose().as_bytes(), 0o600)?;
        write_new(&public_path, format!("{}\n", self.verifying).as_bytes(), 0o644)?;
        Ok(public_path)
    }

    /// The key that checks what this one signs.
    pub fn verifying_key(&self) -> VerifyingKey {
        self.verifying.clone()
    }

    /// The log's origin.
    pub fn origin(&self) -> &str {
        &self.verifying.name
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }
}

/// Where the verifier key of a private key stands.
fn public_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".pub");
    PathBuf::from(name)
}

/// A log's name goes into notes, file lines and terminals: printable ASCII without spaces and `+`.
fn check_origin(origin: &str) -> Result<(), AuditError> {
    let fits = (1..=ORIGIN_CHARS_MAX).contains(&origin.len());
    if fits && origin.bytes().all(|b| b.is_ascii_graphic() && b != b'+') {
        return Ok(());
    }
    Err(AuditError::Key {
        path: None,
        problem: "a log's name has 1 to 128 printable ASCII characters, no space and no `+`",
    })
}

fn read_short(path: &Path) -> Result<String, AuditError> {
    let mut text = String::new();
    let file = File::open(path).map_err(AuditError::io("read", path))?;
    file.take(KEY_FILE_BYTES_MAX).read_to_string(&mut text).map_err(AuditError::io("read", path))?;
    Ok(text)
}

fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), AuditError> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .map_err(AuditError::io("create", path))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(AuditError::io("write", path))
}

fn with_path(error: AuditError, path: &Path) -> AuditError {
    match error {
        AuditError::Key { problem, .. } => AuditError::Key { path: Some(path.to_path_buf()), problem },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f44_a_saved_key_loads_and_signs_the_same_and_the_file_is_private() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.key");
        let signer = Signer::generate("edge-2.gate.test").unwrap();
        let public = signer.save(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let loaded = Signer::load(&path).unwrap();
        let key = VerifyingKey::load(&public).unwrap();
        assert_eq!(key, loaded.verifying_key());
        assert!(key.verifies(b"message", &loaded.sign(b"message")));
        assert!(!key.verifies(b"other", &loaded.sign(b"message")));
        assert!(signer.save(&path).is_err(), "an existing key was overwritten");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!format!("{loaded:?}").contains(text.trim().rsplit('+').next().unwrap()));
    }

    #[test]
    fn f44_a_missing_open_or_broken_key_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.key");
        assert!(matches!(Signer::load(&path), Err(AuditError::Io { .. })));
        Signer::generate("gate.test").unwrap().save(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Signer::load(&path), Err(AuditError::Key { .. })));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let good = std::fs::read_to_string(&path).unwrap();
        for bad in
            [String::new(), good.replace("gate.test", "gate.best"), good.replace("PRIVATE", "PUBLIC"), "x".repeat(9000)]
        {
            std::fs::write(&path, bad).unwrap();
            assert!(matches!(Signer::load(&path), Err(AuditError::Key { .. })));
        }
    }

    #[test]
    fn tl_3_names_that_would_break_a_note_are_refused() {
        for name in ["", "a b", "a+b", "a\nb", "ä", "a\u{1b}b", &"x".repeat(129)] {
            assert!(Signer::generate(name).is_err(), "{name:?}");
        }
        assert!(VerifyingKey::parse("PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW").is_err());
    }
}
