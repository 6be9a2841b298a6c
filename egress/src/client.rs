// SPDX-License-Identifier: Apache-2.0
//! One bounded `GET` at a time, on a runtime of our own.

use crate::resolver::{Resolver, is_allowed};
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, Request, Response, Uri};
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use portcullis_decision::fetch::{BoxFuture, Fetch, FetchError, Fetched, check_address};
use rustls::{ClientConfig, RootCertStore};
use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// Largest answer.
pub const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// Longest wait for a connection.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest wait for everything.
pub const TOTAL_TIMEOUT: Duration = Duration::from_secs(5);
/// Most header lines of an answer.
pub const HEADERS_MAX: usize = 64;
/// Most bytes of an answer's head.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Idle connections kept, and for how long: sources are asked every few minutes, so none is worth keeping for longer.
const IDLE_MAX: usize = 1;
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);

/// The bounds of a call; the defaults are the maxima above.
#[derive(Clone, Debug)]
pub struct EgressConfig {
    /// Longest wait for a connection.
    pub connect_timeout: Duration,
    /// Longest wait for everything, from the name to the last byte.
    pub total_timeout: Duration,
    /// Largest answer.
    pub answer_bytes_max: usize,
}

impl Default for EgressConfig {
    fn default() -> Self {
        Self { connect_timeout: CONNECT_TIMEOUT, total_timeout: TOTAL_TIMEOUT, answer_bytes_max: ANSWER_BYTES_MAX }
    }
}

/// Why the client cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// The TLS provider lacks the protocol versions we ask for.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
}

type HttpClient = Client<HttpsConnector<HttpConnector<Resolver>>, Empty<Bytes>>;

/// The client. Calls run on the runtime it was built with, whatever runtime waits for them.
pub struct Egress {
    client: HttpClient,
    config: EgressConfig,
    handle: Handle,
}

impl Egress {
    /// A client whose work is done on `handle`.
    ///
    /// A machine without certificate authorities is no error here: calls to loopback work, and every `https` call
    /// fails on its certificate.
    pub fn new(config: EgressConfig, handle: Handle) -> Result<Self, EgressError> {
        let mut http = HttpConnector::new_with_resolver(Resolver::new());
        http.enforce_http(false);
        http.set_connect_timeout(Some(config.connect_timeout));
        http.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls_config()?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE_MAX)
            .http1_max_headers(HEADERS_MAX)
            .http1_max_buf_size(HEAD_BYTES_MAX)
            .build(connector);
        Ok(Self { client, config, handle })
    }
}

impl Fetch for Egress {
    fn get<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<Fetched, FetchError>> {
        Box::pin(async move {
            let uri = check(url)?;
            let (client, config) = (self.client.clone(), self.config.clone());
            let mut call = Call(self.handle.spawn(async move {
                let answer = call(client, uri, config.answer_bytes_max);
                tokio::time::timeout(config.total_timeout, answer).await.unwrap_or(Err(FetchError::Timeout))
            }));
            match (&mut call.0).await {
                Ok(answer) => answer,
                Err(_) => Err(FetchError::Connection("the runtime of our own calls has stopped".to_owned())),
            }
        })
    }
}

/// A call in progress; nobody waits for it any more when this is dropped, so it ends.
struct Call(JoinHandle<Result<Fetched, FetchError>>);

impl Drop for Call {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// aws-lc-rs by name (never the process default, which another crate could set), TLS 1.2 and 1.3, the machine's roots.
fn tls_config() -> Result<ClientConfig, EgressError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = || {
        ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(EgressError::Tls)
    };
    let trusted = match builder()?.with_native_roots() {
        Ok(trusted) => trusted,
        // No certificate authorities on this machine: trust nobody, rather than refuse to start.
        Err(_) => builder()?.with_root_certificates(RootCertStore::empty()),
    };
    Ok(trusted.with_no_client_auth())
}

/// The rule of addresses, also for literal ones, which no resolver sees.
fn check(url: &str) -> Result<Uri, FetchError> {
    let uri = check_address(url)?;
    let host = uri.host().unwrap_or_default();
    let literal = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host).parse::<IpAddr>();
    match literal {
        Ok(ip) if !is_allowed(ip) => Err(FetchError::Address(url.to_owned())),
        _ => Ok(uri),
    }
}

async fn call(client: HttpClient, uri: Uri, answer_bytes_max: usize) -> Result<Fetched, FetchError> {
    let request = Request::get(uri)
        .header(ACCEPT, "application/json, application/jwk-set+json")
        .header(USER_AGENT, concat!("portcullis/", env!("CARGO_PKG_VERSION")))
        .body(Empty::new())
        .map_err(connection)?;
    let response = client.request(request).await.map_err(connection)?;
    let status = response.status().as_u16();
    let content_type = content_type(response.headers());
    let body = read(response, answer_bytes_max).await?;
    Ok(Fetched { status, content_type, body })
}

async fn read(response: Response<Incoming>, bytes_max: usize) -> Result<Bytes, FetchError> {
    let told = response.headers().get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    if told.is_some_and(|length| length > bytes_max) {
        return Err(FetchError::TooLarge(bytes_max));
    }
    match Limited::new(response.into_body(), bytes_max).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(FetchError::TooLarge(bytes_max)),
        Err(error) => Err(connection(error)),
    }
}

/// The essence of the media type; `None` when there is none, or several.
fn content_type(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let value = values.next().filter(|_| values.next().is_none())?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

/// The whole chain in one line: the outer errors of a client say little.
fn connection(error: impl Into<Box<dyn Error + Send + Sync>>) -> FetchError {
    let error = error.into();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    FetchError::Connection(text)
}
