// SPDX-License-Identifier: Apache-2.0
//! Which files a configuration was made of, and whether they are still what they were (F05).
//!
//! Files are looked at by their inode, size and times: whatever writes one changes them. A change counts once two looks
//! in a row saw the same, so that a file that is being written is not read in the middle.

use super::supervise::Pulse;
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// How often files are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What files looked like at one moment; a file that is not there is part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Look(BTreeMap<PathBuf, Option<Stamp>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Look {
    /// Looks at files.
    pub(crate) fn at(files: impl IntoIterator<Item = PathBuf>) -> Self {
        Self(files.into_iter().map(|file| (file.clone(), stamp(&file))).collect())
    }

    /// The same files, looked at now.
    pub(crate) fn again(&self) -> Self {
        Self::at(self.0.keys().cloned())
    }

    /// Whether the files that both looked at were the same.
    pub(crate) fn unchanged_in(&self, other: &Self) -> bool {
        self.0.iter().all(|(file, stamp)| other.0.get(file).is_none_or(|now| now == stamp))
    }
}

fn stamp(file: &PathBuf) -> Option<Stamp> {
    // Follows links: a configuration map swaps what a link points to.
    let metadata = std::fs::metadata(file).ok()?;
    Some(Stamp {
        device: metadata.dev(),
        inode: metadata.ino(),
        bytes: metadata.size(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
    })
}

/// Asks for a reload whenever the files differ from what was last loaded and have stopped changing.
pub(crate) async fn watch(loaded: impl Fn() -> Look + Send + 'static, wanted: Arc<Notify>, pulse: Pulse) {
    let mut unsettled = None;
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        pulse.beat();
        let known = loaded();
        // A file system may be slow; the control runtime is not.
        let looked = tokio::task::spawn_blocking(move || {
            let now = known.again();
            (known, now)
        });
        let Ok((known, now)) = looked.await else { continue };
        if now == known {
            unsettled = None;
        } else if unsettled.as_ref() == Some(&now) {
            unsettled = None;
            wanted.notify_one();
            // The reload takes its own look; until then the files differ from what is loaded.
            tokio::time::sleep(LOOK_EVERY).await;
        } else {
            unsettled = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f05_every_way_to_change_a_file_is_seen() {
        let directory = tempfile::tempdir().unwrap();
        let (one, other) = (directory.path().join("one"), directory.path().join("other"));
        std::fs::write(&one, "a").unwrap();
        let mut look = Look::at([one.clone(), other.clone()]);
        assert_eq!(look, look.again());
        let mut differs = |what: &str| {
            let now = look.again();
            assert_ne!(look, now, "{what}");
            look = now;
        };
        std::fs::write(&other, "b").unwrap();
        differs("a file that appears");
        std::thread::sleep(Duration::from_millis(20));
        std::fs::write(&one, "c").unwrap();
        differs("a file of the same size written in place");
        std::fs::rename(&other, &one).unwrap();
        differs("a file renamed over another");
        std::fs::remove_file(&one).unwrap();
        differs("a file that goes");
    }
}
