// SPDX-License-Identifier: Apache-2.0
//! TLS as what a client's connection runs over.

use crate::stream::{Socket, Transport};
use tokio_rustls::server::TlsStream;

/// On the heap: it is large, and goes from hand to hand on its way into a connection, which would carry room for it in
/// each of them.
impl Transport for Box<TlsStream<Socket>> {
    fn reset(&self) {
        self.get_ref().0.reset();
    }
}
