// SPDX-License-Identifier: Apache-2.0
//! The keys of one issuer over time: refreshed on a schedule and on an unknown `kid`, kept when a refresh fails, given
//! up when they are too old (JWT-18, T94, T96, F19, F20).
//!
//! INVARIANT: a refresh that a client can cause claims its turn before anything is fetched, and turns are
//! [`COOL_DOWN`] apart, whatever comes of them; nothing that was good is dropped because a refresh failed.

use super::absent::AbsentKids;
use super::discovery;
use super::flight::Flight;
use super::jwk::Key;
use super::jwks::{Found, JwksError, KeySet, ReadSet, SkippedKey};
use crate::algorithm::Algorithm;
use arc_swap::ArcSwap;
use portcullis_decision::Clock;
use portcullis_decision::fetch::{Fetch, FetchError};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Least time between two refreshes of an issuer that tokens can cause.
pub const COOL_DOWN: Duration = Duration::from_secs(30);
/// Time between two scheduled refreshes: a withdrawn key is refused after at most this long.
pub const REFRESH_EVERY: Duration = Duration::from_mins(5);
/// Longest use of keys that could not be confirmed.
pub const STALE_MAX: Duration = Duration::from_hours(24);
/// How long a discovered address is used before the metadata is read again.
const METADATA_AGE_MAX: Duration = Duration::from_hours(1);
/// First wait before an issuer that never had keys is asked again by the schedule; doubles up to [`COOL_DOWN`].
const RETRY_FIRST: Duration = Duration::from_secs(1);
/// Requests that may wait for one refresh.
const WAITERS_MAX: usize = 1024;

/// Why keys could not be refreshed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeySourceError {
    /// No answer.
    #[error("the key source cannot be reached")]
    Fetch(#[source] FetchError),
    /// An answer with another status than 200.
    #[error("the key source answered {0}")]
    Status(u16),
    /// An answer that is not JSON.
    #[error("the key source did not answer with JSON")]
    ContentType,
    /// Metadata without a usable `jwks_uri`.
    #[error("the issuer's metadata cannot be used")]
    Metadata,
    /// Metadata that names another issuer (MD-2).
    #[error("the metadata belongs to another issuer")]
    OtherIssuer,
    /// A document without a usable key.
    #[error("the key set cannot be used")]
    Keys(#[source] JwksError),
}

/// What came of a refresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefreshOutcome {
    /// The same keys as before.
    Same,
    /// Other keys are in use now: so many.
    Changed(usize),
    /// The earlier keys, if any, stay in use.
    Failed(KeySourceError),
}

/// The report of one issuer's refresh, for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refreshed {
    /// The issuer's name in the configuration.
    pub issuer: Arc<str>,
    /// What came of it.
    pub outcome: RefreshOutcome,
    /// Keys that were set aside; each deserves an alert.
    pub skipped: Vec<SkippedKey>,
}

/// What a ring is built from.
pub(crate) struct RingConfig {
    pub(crate) name: Arc<str>,
    pub(crate) issuer: String,
    pub(crate) allowed: Vec<Algorithm>,
}

/// Where the keys of a ring come from.
pub(crate) enum RingSource {
    /// A key set fixed at load.
    Fixed,
    /// One shared secret, which needs no key id to be found.
    Secret,
    /// Found by the issuer's metadata.
    Discovery,
    /// At this address.
    Url(String),
}

/// The key of a token, as far as the ring knows.
pub(crate) enum Lookup {
    /// The one key it may be checked with, and the epoch of its set.
    Key(Arc<Key>, u64),
    /// There are keys, and this is none of them.
    Unknown,
    /// There are no keys that may be used.
    NoKeys,
}

/// The keys of one issuer.
pub(crate) struct KeyRing {
    state: Arc<State>,
    flight: Flight,
    turns: Mutex<Turns>,
    absent: AbsentKids,
    waiters: AtomicUsize,
}

/// When the next refresh may begin, by the monotonic clock.
#[derive(Default)]
struct Turns {
    /// For a token with an unknown key.
    on_demand: Duration,
    /// For the schedule.
    scheduled: Duration,
}

/// What a refresh in flight changes; shared with it, and holding no way back to the ring.
struct State {
    config: RingConfig,
    source: RingSource,
    set: ArcSwap<KeySet>,
    /// Milliseconds of the monotonic clock at the last success, plus one; 0: never.
    confirmed: AtomicU64,
    failures: AtomicU64,
    address: Mutex<Option<(String, Duration)>>,
    report: Mutex<Option<Refreshed>>,
    fetch: Arc<dyn Fetch>,
    clock: Arc<dyn Clock>,
}

impl KeyRing {
    /// A ring that begins with `keys`: those of a file, a secret, or none until the first refresh.
    pub(crate) fn new(
        config: RingConfig,
        source: RingSource,
        keys: Vec<Key>,
        fetch: Arc<dyn Fetch>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let set = KeySet::follow(&KeySet::empty(), keys).unwrap_or_else(KeySet::empty);
        let state = State {
            config,
            source,
            set: ArcSwap::from_pointee(set),
            confirmed: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            address: Mutex::new(None),
            report: Mutex::new(None),
            fetch,
            clock,
        };
        Self {
            state: Arc::new(state),
            flight: Flight::default(),
            turns: Mutex::default(),
            absent: AbsentKids::default(),
            waiters: AtomicUsize::new(0),
        }
    }

    /// The epoch of the keys in use; `None` when there are none that may be used.
    pub(crate) fn epoch(&self) -> Option<u64> {
        self.is_usable().then(|| self.state.set.load().epoch)
    }

    /// Whether there are keys, and they are not too old.
    pub(crate) fn is_usable(&self) -> bool {
        self.is_fixed() || self.state.confirmed_for().is_some_and(|age| age <= STALE_MAX)
    }

    /// The key of a token, from what is in memory.
    pub(crate) fn look_up(&self, kid: Option<&str>, algorithm: Algorithm) -> Lookup {
        if !self.is_usable() {
            return Lookup::NoKeys;
        }
        let set = self.state.set.load();
        let kid = kid.filter(|_| !matches!(self.state.source, RingSource::Secret));
        match set.find(kid, algorithm) {
            Found::Key(key) => Lookup::Key(key, set.epoch),
            Found::Nothing => Lookup::Unknown,
        }
    }

    /// The key of a token, after a refresh where one may help and it is the issuer's turn.
    pub(crate) async fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Lookup {
        let first = self.look_up(kid, algorithm);
        let worth_asking = match (&first, kid) {
            (Lookup::Key(..), _) | (Lookup::Unknown, None) => false,
            (Lookup::Unknown, Some(kid)) => !self.absent.contains(kid, self.state.clock.monotonic()),
            (Lookup::NoKeys, _) => true,
        };
        if !worth_asking || self.is_fixed() {
            return first;
        }
        let now = self.state.clock.monotonic();
        if !self.flight.is_in_flight() {
            let mut turns = lock(&self.turns);
            if now >= turns.on_demand {
                turns.on_demand = now.saturating_add(COOL_DOWN);
                self.start();
            } else if !self.flight.is_in_flight() {
                return self.look_up(kid, algorithm);
            }
        }
        let Some(_waiter) = Waiter::enter(&self.waiters) else { return Lookup::NoKeys };
        self.flight.join().await;
        let second = self.look_up(kid, algorithm);
        if let (Lookup::Unknown, Some(kid)) = (&second, kid) {
            self.remember_absent(kid, now);
        }
        second
    }

    /// How long until the schedule wants a refresh; zero: now.
    pub(crate) fn due_in(&self) -> Option<Duration> {
        if self.is_fixed() {
            return None;
        }
        if self.flight.is_in_flight() {
            return Some(Duration::ZERO);
        }
        let now = self.state.clock.monotonic();
        Some(lock(&self.turns).scheduled.saturating_sub(now))
    }

    /// Refreshes when due, or goes on with a refresh that nobody waits for any more.
    pub(crate) async fn refresh_when_due(&self) -> Option<Refreshed> {
        if self.due_in()? > Duration::ZERO {
            return None;
        }
        {
            let now = self.state.clock.monotonic();
            let mut turns = lock(&self.turns);
            // The schedule takes the turn of the tokens too, so that both together keep the distance.
            turns.on_demand = turns.on_demand.max(now.saturating_add(COOL_DOWN));
            self.start();
        }
        self.flight.join().await;
        lock(&self.turns).scheduled = self.state.clock.monotonic().saturating_add(self.state.pause());
        lock(&self.state.report).clone()
    }

    /// Seconds after which a client may try again when there are no keys.
    pub(crate) fn retry_after_s(&self) -> u64 {
        let wait = lock(&self.turns).on_demand.saturating_sub(self.state.clock.monotonic());
        wait.as_secs().saturating_add(1)
    }

    fn is_fixed(&self) -> bool {
        matches!(self.state.source, RingSource::Fixed | RingSource::Secret)
    }

    fn start(&self) {
        self.flight.start(|| {
            let state = self.state.clone();
            Box::pin(async move { state.refresh().await })
        });
    }

    /// Only after a refresh of our own turn confirmed the keys: a failed one says nothing about a key id.
    fn remember_absent(&self, kid: &str, asked: Duration) {
        let now = self.state.clock.monotonic();
        let confirmed = self.state.confirmed_for().map(|age| now.saturating_sub(age));
        if confirmed.is_none_or(|at| at.saturating_add(Duration::from_millis(1)) < asked) {
            return;
        }
        self.absent.insert(kid, now);
    }
}

impl State {
    /// Time since the last success; `None`: never.
    fn confirmed_for(&self) -> Option<Duration> {
        let at = self.confirmed.load(Ordering::Acquire).checked_sub(1).map(Duration::from_millis)?;
        Some(self.clock.monotonic().saturating_sub(at))
    }

    /// How long the schedule rests after the refresh that just ended.
    fn pause(&self) -> Duration {
        match (self.failures.load(Ordering::Acquire), self.confirmed.load(Ordering::Acquire)) {
            (0, _) => REFRESH_EVERY,
            // No client causes these, so an issuer that starts together with us is found within seconds.
            (failures, 0) => {
                let doublings = u32::try_from(failures.saturating_sub(1)).unwrap_or(u32::MAX).min(5);
                RETRY_FIRST.saturating_mul(1 << doublings).min(COOL_DOWN)
            }
            (_, _) => COOL_DOWN,
        }
    }

    /// One refresh, from the first byte asked to the report.
    async fn refresh(&self) {
        let (outcome, skipped) = match self.load().await {
            Ok(ReadSet { keys, skipped }) => {
                let count = keys.len();
                let changed = KeySet::follow(&self.set.load(), keys);
                let outcome = if changed.is_some() { RefreshOutcome::Changed(count) } else { RefreshOutcome::Same };
                if let Some(set) = changed {
                    self.set.store(Arc::new(set));
                }
                let now = u64::try_from(self.clock.monotonic().as_millis()).unwrap_or(u64::MAX);
                self.confirmed.store(now.saturating_add(1), Ordering::Release);
                self.failures.store(0, Ordering::Release);
                (outcome, skipped)
            }
            Err(error) => {
                self.failures.fetch_add(1, Ordering::AcqRel);
                (RefreshOutcome::Failed(error), Vec::new())
            }
        };
        *lock(&self.report) = Some(Refreshed { issuer: self.config.name.clone(), outcome, skipped });
    }

    async fn load(&self) -> Result<ReadSet, KeySourceError> {
        let address = match &self.source {
            RingSource::Url(url) => url.clone(),
            RingSource::Discovery => self.discovered().await?,
            RingSource::Fixed | RingSource::Secret => return Err(KeySourceError::Metadata),
        };
        let read = match self.fetch.get(&address).await {
            Ok(answer) => discovery::read_keys(&answer, &self.config.allowed),
            Err(error) => Err(KeySourceError::Fetch(error)),
        };
        if read.is_err() {
            // Keys may have moved: the next turn reads the metadata again.
            *lock(&self.address) = None;
        }
        read
    }

    /// The address of the keys: remembered, or read from the issuer's metadata.
    async fn discovered(&self) -> Result<String, KeySourceError> {
        let now = self.clock.monotonic();
        if let Some((address, at)) = &*lock(&self.address)
            && now.saturating_sub(*at) <= METADATA_AGE_MAX
        {
            return Ok(address.clone());
        }
        let [first, second] = discovery::metadata_urls(&self.config.issuer);
        let address = match self.metadata(&first).await {
            // No answer at one path of a host is no reason to wait for another.
            Err(KeySourceError::Fetch(error)) => return Err(KeySourceError::Fetch(error)),
            Err(error) => self.metadata(&second).await.map_err(|other| match other {
                KeySourceError::Status(404) => error,
                other => other,
            })?,
            Ok(address) => address,
        };
        *lock(&self.address) = Some((address.clone(), now));
        Ok(address)
    }

    async fn metadata(&self, url: &str) -> Result<String, KeySourceError> {
        let answer = self.fetch.get(url).await.map_err(KeySourceError::Fetch)?;
        discovery::read_metadata(&self.config.issuer, &answer)
    }
}

/// One request that waits for a refresh.
struct Waiter<'a>(&'a AtomicUsize);

impl<'a> Waiter<'a> {
    fn enter(count: &'a AtomicUsize) -> Option<Self> {
        let waiter = Self(count);
        // On refusal the drop below takes the count back.
        (count.fetch_add(1, Ordering::AcqRel) < WAITERS_MAX).then_some(waiter)
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
