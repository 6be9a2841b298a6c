// SPDX-License-Identifier: Apache-2.0
//! Values that must reach no log, record, metric or message.

use zeroize::Zeroize;

/// A value without `Debug`, `Display` or `Serialize`, wiped when dropped.
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Takes charge of a secret.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself; every use is one grep away.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}
