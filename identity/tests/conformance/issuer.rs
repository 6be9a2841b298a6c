// SPDX-License-Identifier: Apache-2.0
//! The stage under test, the issuer's server it asks, and what it answers.

use crate::mint::{AUDIENCE, ISSUER, NOW, jwks};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use portcullis_decision::fetch::{BoxFuture, Fetch, FetchError, Fetched};
use portcullis_decision::trail::FactValue;
use portcullis_decision::{Clock, Identity, ManualClock, Reason, RequestId, Trail};
use portcullis_identity::{
    Authenticator, CACHE_ENTRIES_DEFAULT, Config, IssuerConfig, KeySource, TOKEN_BYTES_DEFAULT, TokenType,
};
use portcullis_wire::Query;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Semaphore;

/// The issuer's server, as a script that tests rewrite.
pub(crate) struct Server {
    pages: Mutex<HashMap<String, Result<Fetched, FetchError>>>,
    asked: Mutex<Vec<String>>,
    pub(crate) hits: AtomicUsize,
    /// Answers wait for a permit.
    pub(crate) gate: Semaphore,
}

impl Server {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            pages: Mutex::default(),
            asked: Mutex::default(),
            hits: AtomicUsize::new(0),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
        })
    }

    pub(crate) fn page(&self, url: &str, status: u16, content_type: &str, body: impl Into<Bytes>) {
        let page = Fetched { status, content_type: Some(content_type.to_owned()), body: body.into() };
        self.pages.lock().unwrap().insert(url.to_owned(), Ok(page));
    }

    pub(crate) fn json(&self, url: &str, body: &Value) {
        self.page(url, 200, "application/json", body.to_string());
    }

    pub(crate) fn down(&self) {
        self.pages.lock().unwrap().clear();
    }

    pub(crate) fn hits(&self) -> usize {
        self.hits.load(Ordering::SeqCst)
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Fetch for Server {
    fn get<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<Fetched, FetchError>> {
        Box::pin(async move {
            self.hits.fetch_add(1, Ordering::SeqCst);
            self.asked.lock().unwrap().push(url.to_owned());
            self.gate.acquire().await.unwrap().forget();
            self.gate.add_permits(1);
            self.pages.lock().unwrap().get(url).cloned().unwrap_or(Err(FetchError::Connection("refused".into())))
        })
    }
}

/// The stage with its clock and its issuer's server.
pub(crate) struct Gate {
    pub(crate) stage: Authenticator,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) server: Arc<Server>,
}

/// What a refused client saw, and what the record says.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) reason: Reason,
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) facts: Vec<(&'static str, FactValue)>,
}

pub(crate) fn issuer(keys: KeySource) -> IssuerConfig {
    IssuerConfig { keys, ..IssuerConfig::new("customers", ISSUER, AUDIENCE) }
}

pub(crate) fn config(issuers: Vec<IssuerConfig>) -> Config {
    Config {
        issuers,
        resource: AUDIENCE.to_owned(),
        cache_entries_max: CACHE_ENTRIES_DEFAULT,
        token_bytes_max: TOKEN_BYTES_DEFAULT,
    }
}

impl Gate {
    pub(crate) fn build(config: Config) -> Self {
        let (clock, server) = (Arc::new(ManualClock::at(Duration::from_secs(NOW))), Server::new());
        let stage = Authenticator::build(config, server.clone(), clock.clone()).unwrap();
        Self { stage, clock, server }
    }

    /// One issuer with the keys of [`jwks`], and the change a test makes.
    pub(crate) fn with(change: impl FnOnce(&mut IssuerConfig)) -> Self {
        let mut issuer = issuer(KeySource::Inline(jwks().to_string().into_bytes()));
        change(&mut issuer);
        Self::build(config(vec![issuer]))
    }

    pub(crate) fn plain() -> Self {
        Self::with(|_| ())
    }

    /// For tokens without explicit typing.
    pub(crate) fn any() -> Self {
        Self::with(|issuer| issuer.token_type = TokenType::Any)
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    pub(crate) async fn ask(&self, headers: &HeaderMap, query: &str) -> Result<Arc<Identity>, Refused> {
        let clock: Arc<dyn Clock> = self.clock.clone();
        let mut trail = Trail::open(RequestId::generate(&*clock), clock);
        let query = Query::parse(query, 64).unwrap();
        let outcome = self.stage.identify(headers, &query, &mut trail).await;
        let last = trail.evaluations().last().expect("no allow and no deny without a record");
        match outcome {
            Ok((identity, receipt)) => {
                assert_eq!(receipt.request(), trail.request());
                assert!(trail.caller().and_then(|c| c.identity()).is_some_and(|i| i.subject == identity.subject));
                Ok(identity)
            }
            Err(denial) => {
                assert!(trail.caller().is_none(), "a refused request has no caller");
                assert_eq!(last.reason, Some(denial.reason()));
                Err(Refused {
                    reason: denial.reason(),
                    status: denial.status().as_u16(),
                    headers: denial
                        .headers()
                        .iter()
                        .map(|(n, v)| (n.to_string(), v.to_str().unwrap().to_owned()))
                        .collect(),
                    facts: last.facts.iter().cloned().collect(),
                })
            }
        }
    }

    /// Asks with a bearer token. `None`: it cannot even stand in a header.
    pub(crate) async fn try_token(&self, token: &[u8]) -> Option<Result<Arc<Identity>, Refused>> {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, HeaderValue::from_bytes(&[b"Bearer ", token].concat()).ok()?);
        Some(self.ask(&headers, "").await)
    }

    pub(crate) async fn token(&self, token: &str) -> Result<Arc<Identity>, Refused> {
        self.try_token(token.as_bytes()).await.expect("a token that can stand in a header")
    }

    pub(crate) async fn reason(&self, token: &str) -> Option<Reason> {
        self.token(token).await.err().map(|r| r.reason)
    }
}

pub(crate) fn bearer(token: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}")).unwrap());
    headers
}
