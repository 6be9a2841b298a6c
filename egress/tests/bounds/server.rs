// SPDX-License-Identifier: Apache-2.0
//! A server that misbehaves on purpose, and the client that calls it.

use portcullis_decision::fetch::{Fetch, FetchError, Fetched};
use portcullis_egress::{Egress, EgressConfig};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::runtime::Handle;

/// A server that answers every connection with the same bytes and then, perhaps, says no more.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) connections: Arc<AtomicUsize>,
}

pub(crate) enum Then {
    Close,
    Hang,
}

impl Server {
    pub(crate) async fn start(answer: impl Into<Vec<u8>>, then: Then) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let (answer, counter, hang) = (answer.into(), connections.clone(), matches!(then, Then::Hang));
        Handle::current().spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                let answer = answer.clone();
                Handle::current().spawn(async move {
                    let mut head = vec![0; 4096];
                    let _ = socket.read(&mut head).await;
                    let _ = socket.write_all(&answer).await;
                    if hang {
                        let () = std::future::pending().await;
                    }
                });
            }
        });
        Self { address, connections }
    }

    pub(crate) async fn get(&self) -> Result<Fetched, FetchError> {
        egress().get(&format!("http://{}/keys", self.address)).await
    }
}

pub(crate) fn egress() -> Egress {
    let config = EgressConfig { total_timeout: Duration::from_millis(400), ..EgressConfig::default() };
    Egress::new(config, Handle::current()).unwrap()
}

pub(crate) fn ok(content_type: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}
