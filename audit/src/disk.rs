// SPDX-License-Identifier: Apache-2.0
//! The two operations of the disk that can fail under load, behind a trait so that their failures can be tested.

use std::fs::File;
use std::io::{self, Write as _};

/// Appending and syncing.
pub(crate) trait Disk: Send + Sync {
    /// Appends all bytes to a file opened for appending.
    fn append(&self, file: &File, bytes: &[u8]) -> io::Result<()>;
    /// Makes what was written durable.
    fn sync(&self, file: &File) -> io::Result<()>;
}

/// The operating system.
pub(crate) struct SystemDisk;

impl Disk for SystemDisk {
    fn append(&self, mut file: &File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }
}
