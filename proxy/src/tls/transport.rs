// SPDX-License-Identifier: Apache-2.0
//! TLS as what a client's connection runs over.

use crate::stream::{Socket, Transport};
use tokio_rustls::server::TlsStream;

impl Transport for TlsStream<Socket> {
    fn reset(&self) {
        self.get_ref().0.reset();
    }
}
