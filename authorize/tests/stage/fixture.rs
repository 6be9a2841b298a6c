// SPDX-License-Identifier: Apache-2.0
//! A small orders API, an origin that checks nothing, and the stages between them in their order.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use portcullis_authorize::{
    AnswerQuestion, Authorizer, CarryPlace, Compiled, Declared, DenyAs, ForeignItems, IdPlace, Judged, Known,
    LookupAnswer, LookupFault, LookupRequest, ObjectDeclaration, ObjectQuestion, OperationDeclaration, OwnerLookup,
    Pointer, PropertyDeclaration, RuleList, Rules, SubjectSource, UnknownResponse, Word, compile,
};
use portcullis_contract::{Contract, LoadOptions, OperationIndex, RouteMatch, Source, load};
use portcullis_decision::caller::{Caller, Identity, Kind};
use portcullis_decision::fetch::BoxFuture;
use portcullis_decision::finding::Place;
use portcullis_decision::{Denial, ManualClock, Reason, RequestId, Trail};
use portcullis_wire::json::{Document, JsonLimits};
use portcullis_wire::{HeadLimits, Reserved};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::pin;
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

pub(crate) const ORDERS: &str = include_str!("orders.yaml");

pub(crate) fn place(line: u32) -> Place {
    Place { file: "portcullis.yaml".into(), line, column: 11 }
}

pub(crate) fn words(list: &[&str]) -> Vec<Word> {
    list.iter().map(|word| Word::parse(word).unwrap()).collect()
}

#[expect(clippy::unnecessary_wraps, reason = "rules are optional where they are written")]
pub(crate) fn rule(line: u32, list: &[&str]) -> Option<RuleList> {
    Some(RuleList { words: words(list), place: place(line) })
}

/// The orders document, loaded once: its validators are compiled on first use.
pub(crate) fn orders_contract() -> Arc<Contract> {
    static CONTRACT: OnceLock<Arc<Contract>> = OnceLock::new();
    Arc::clone(CONTRACT.get_or_init(|| contract(ORDERS)))
}

pub(crate) fn contract(document: &str) -> Arc<Contract> {
    let source = Source { name: "openapi.yaml".into(), text: document.to_owned() };
    let none = |_: &str| Err("no file".to_owned());
    Arc::new(load(source, &LoadOptions::default(), &none).unwrap())
}

pub(crate) fn object(name: &str, id: &str) -> ObjectDeclaration {
    ObjectDeclaration {
        name: name.into(),
        place: place(10),
        id: IdPlace::parse(id),
        schemas: Vec::new(),
        owner: Some(Pointer::parse("/owner").unwrap()),
        id_is_owner: false,
        subject: SubjectSource::Sub,
        issuers: Vec::new(),
        lookup: None,
        key: None,
        rules: Rules::default(),
        deny_as: DenyAs::NotFound,
    }
}

pub(crate) fn operation() -> OperationDeclaration {
    OperationDeclaration {
        public: false,
        touches_none: false,
        carries: Vec::new(),
        returns: Vec::new(),
        action: None,
        allow: None,
        foreign_items: ForeignItems::Drop,
        place: place(90),
    }
}

pub(crate) fn property(schema: &str, name: &str, read: Option<&[&str]>, write: Option<&[&str]>) -> PropertyDeclaration {
    PropertyDeclaration {
        schema: schema.into(),
        property: name.into(),
        read: read.map(words),
        write: write.map(words),
        place: place(70),
    }
}

pub(crate) fn empty() -> Declared {
    Declared {
        api: "orders".into(),
        objects: Vec::new(),
        properties: Vec::new(),
        operations: HashMap::new(),
        unknown_response: UnknownResponse::Drop,
        response_max: 1 << 20,
        issuers: vec!["customers".into()],
    }
}

/// The declaration most tests begin with.
pub(crate) fn declared(contract: &Contract) -> Declared {
    let mut order = object("Order", "orderId");
    order.schemas = ["Order", "NewOrder", "OrderPatch"].map(Arc::from).to_vec();
    order.rules = Rules {
        read: rule(21, &["owner", "role:support"]),
        create: rule(22, &["authenticated"]),
        update: rule(23, &["owner"]),
        delete: rule(24, &["owner", "scope:orders.admin"]),
    };
    let mut customer = object("Customer", "customerId");
    customer.owner = None;
    customer.id_is_owner = true;
    let properties = vec![
        property("Order", "internal_margin", Some(&["role:finance"]), Some(&["never"])),
        property("Order", "status", None, Some(&["scope:orders.admin"])),
    ];
    let of = |id: &str| contract.find(id).unwrap();
    let carries = vec![("Order".into(), CarryPlace::parse("body:/ids/*").unwrap())];
    let operations = HashMap::from([
        (of("archiveMany"), OperationDeclaration { carries, ..operation() }),
        (
            of("statistics"),
            OperationDeclaration { touches_none: true, allow: rule(91, &["role:analyst"]), ..operation() },
        ),
        (of("ping"), OperationDeclaration { public: true, ..operation() }),
    ]);
    let objects = vec![order, customer];
    Declared { objects, properties, operations, issuers: vec!["customers".into()], ..empty() }
}

pub(crate) fn identity(subject: &str, scopes: &[&str], roles: &[&str]) -> Identity {
    let texts = |list: &[&str]| list.iter().map(|text| Arc::from(*text)).collect();
    Identity {
        issuer: "customers".into(),
        subject: subject.into(),
        client: Some("mobile".into()),
        kind: Kind::User,
        tenant: None,
        plan: None,
        scopes: texts(scopes),
        roles: texts(roles),
        claims: Arc::default(),
        issued_at: None,
        expires_at: None,
        algorithm: "ES256",
        key_id: None,
    }
}

pub(crate) fn known(identity: Identity) -> Caller {
    Caller::Known(Arc::new(identity))
}

pub(crate) fn user(subject: &str) -> Caller {
    known(identity(subject, &["orders.read", "orders.write"], &[]))
}

pub(crate) fn anonymous() -> Caller {
    Caller::Anonymous(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

/// What the origin answers.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

pub(crate) fn reply(status: u16, body: &Value) -> Reply {
    raw(status, "application/json", body.to_string().into_bytes())
}

pub(crate) fn raw(status: u16, content_type: &str, body: impl Into<Bytes>) -> Reply {
    let mut headers = HeaderMap::new();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::try_from(content_type).unwrap());
    Reply { status, headers, body: body.into() }
}

pub(crate) fn bare(status: u16) -> Reply {
    Reply { status, headers: HeaderMap::new(), body: Bytes::new() }
}

impl Reply {
    pub(crate) fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.insert(name, HeaderValue::from_static(value));
        self
    }
}

pub(crate) type Handler = Box<dyn Fn(&Method, &str, &str) -> Reply + Send + Sync>;

thread_local! {
    /// The subject the gateway tells the origin, as a header would.
    pub(crate) static SUBJECT: RefCell<String> = const { RefCell::new(String::new()) };
}

/// An origin that never checks anything.
pub(crate) fn leaky() -> Handler {
    Box::new(|method, path, body| {
        let order = |id: &str, owner: &str| json!({"id": id, "owner": owner, "item": "tea", "internal_margin": 0.40});
        let all: BTreeMap<&str, &str> = BTreeMap::from([("o-1", "alice"), ("o-2", "bob"), ("o-3", "alice")]);
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        match (method.as_str(), segments.as_slice()) {
            ("GET", ["orders"]) => {
                let items: Vec<Value> = all.iter().map(|(id, owner)| order(id, owner)).collect();
                reply(200, &json!({"data": items, "total": 3, "next": "p2"}))
            }
            ("POST", ["orders"]) => {
                let sent: Value = serde_json::from_str(body).unwrap();
                let own = SUBJECT.with_borrow(Clone::clone);
                let owner = sent["owner"].as_str().unwrap_or(&own).to_owned();
                reply(201, &order("o-9", &owner))
            }
            ("POST", ["orders", "archive"]) => reply(200, &json!({"archived": 1})),
            ("GET", ["orders", id]) => match all.get(id) {
                Some(owner) => reply(200, &order(id, owner)).with("etag", "\"v1\""),
                None => reply(404, &json!({"message": "no such order"})),
            },
            ("PUT" | "PATCH", ["orders", id]) => reply(200, &order(id, all.get(id).copied().unwrap_or("alice"))),
            ("DELETE", ["orders", _]) | ("POST", ["orders", _, "notes"]) | ("GET", ["ping"]) => bare(204),
            ("GET", ["orders", _, "pdf"]) => raw(200, "application/pdf", "%PDF"),
            ("GET", ["customers", id]) => reply(
                200,
                &json!({"customerId": id, "name": "A", "orders": [order("o-1", "alice"), order("o-2", "bob")]}),
            ),
            ("GET", ["statistics"]) => reply(200, &json!({"orders": 3})),
            ("GET", ["whoami"]) => reply(200, &json!({"name": "you"})),
            _ => reply(404, &json!({"message": "nothing here"})),
        }
    })
}

/// The stages over one API.
pub(crate) struct Gateway {
    pub(crate) contract: Arc<Contract>,
    pub(crate) authorizer: Authorizer,
    pub(crate) origin: Handler,
    /// What reached the origin: method and path, look-ups marked.
    pub(crate) calls: Mutex<Vec<String>>,
}

pub(crate) fn orders() -> Gateway {
    orders_with(|_| {})
}

pub(crate) fn orders_with(change: impl FnOnce(&mut Declared)) -> Gateway {
    let contract = orders_contract();
    let mut declared = declared(&contract);
    change(&mut declared);
    gateway(contract, declared)
}

pub(crate) fn gateway(contract: Arc<Contract>, declared: Declared) -> Gateway {
    let Compiled { authorizer, .. } = compile(Arc::clone(&contract), declared);
    Gateway { contract, authorizer, origin: leaky(), calls: Mutex::default() }
}

/// How one request ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) status: u16,
    pub(crate) reason: Option<Reason>,
    pub(crate) body: Bytes,
    pub(crate) denial: Option<Denial>,
    pub(crate) judged: Option<Judged>,
    pub(crate) known: Option<Known>,
    pub(crate) alerts: Vec<Reason>,
    pub(crate) object: Option<portcullis_decision::record::ObjectEvidence>,
}

impl Outcome {
    pub(crate) fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// `200` or `404 object.not_owner`.
    pub(crate) fn line(&self) -> String {
        self.reason.map_or(self.status.to_string(), |reason| format!("{} {reason}", self.status))
    }
}

/// One request of a test.
#[derive(Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) body: &'a str,
    pub(crate) if_match: Option<&'static str>,
}

struct Lookups<'g>(&'g Gateway);

impl OwnerLookup for Lookups<'_> {
    fn look_up<'a>(&'a self, request: LookupRequest<'a>) -> BoxFuture<'a, Result<LookupAnswer, LookupFault>> {
        Box::pin(async move {
            let operation = self.0.contract.operation(request.operation).unwrap();
            let target = request.target(operation).ok_or(LookupFault::Unavailable)?;
            self.0.calls.lock().unwrap().push(format!("lookup {target}"));
            let answer = (self.0.origin)(&Method::GET, &target, "");
            Ok(LookupAnswer {
                status: StatusCode::from_u16(answer.status).unwrap(),
                etag: answer.headers.get(http::header::ETAG).cloned(),
                content_type: answer.headers.get(http::header::CONTENT_TYPE).cloned(),
                body: answer.body,
            })
        })
    }
}

impl Gateway {
    pub(crate) fn with(mut self, origin: impl Fn(&Method, &str, &str) -> Reply + Send + Sync + 'static) -> Self {
        self.origin = Box::new(origin);
        self
    }

    pub(crate) fn get(&self, caller: &Caller, path: &str) -> Outcome {
        self.send(Ask { caller, method: "GET", path, body: "", if_match: None })
    }

    pub(crate) fn ask(&self, caller: &Caller, method: &str, path: &str, body: &str) -> Outcome {
        self.send(Ask { caller, method, path, body, if_match: None })
    }

    pub(crate) fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }

    pub(crate) fn send(&self, ask: Ask<'_>) -> Outcome {
        let clock = Arc::new(ManualClock::at(Duration::from_secs(1)));
        let mut trail = Trail::open(RequestId::from_parts(1, 2), clock);
        let ended = self.stages(ask, &mut trail);
        let alerts = trail.alerts().iter().map(|alert| alert.reason).collect();
        let object = trail.object().cloned();
        match ended {
            Ok((judged, known)) => Outcome {
                status: if known.precondition_failed { 412 } else { judged.status.as_u16() },
                reason: None,
                body: judged.body.clone(),
                denial: None,
                judged: Some(judged),
                known: Some(known),
                alerts,
                object,
            },
            Err(denial) => Outcome {
                status: denial.status().as_u16(),
                reason: Some(denial.reason()),
                body: Bytes::new(),
                denial: Some(denial),
                judged: None,
                known: None,
                alerts,
                object,
            },
        }
    }

    fn stages(&self, ask: Ask<'_>, trail: &mut Trail) -> Result<(Judged, Known), Denial> {
        let request = http::Request::builder().method(ask.method).uri(ask.path).header("host", "api.example.com");
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let head = portcullis_wire::receive(parts, &HeadLimits::default(), &Reserved::new(&[])).unwrap();
        let RouteMatch::Operation(index, captures) = self.contract.route(&head.method, &head.path) else {
            return Err(trail
                .deny::<portcullis_decision::stage::Route>(Reason::RouteNotFound, portcullis_decision::Facts::none()));
        };
        let operation = self.contract.operation(index).unwrap();
        let _receipt = self.authorizer.function(index, ask.caller, trail)?;
        let parameters = operation.read_parameters(&head, &captures).unwrap();
        let limits = JsonLimits::default();
        let document = (!ask.body.is_empty())
            .then(|| Document::parse(Bytes::copy_from_slice(ask.body.as_bytes()), &limits).unwrap());
        let shape = operation.body.as_ref().and_then(|body| body.media.first()).and_then(|media| media.shape);
        let if_match = ask.if_match.map(HeaderValue::from_static);
        let question = ObjectQuestion {
            caller: ask.caller,
            parameters: &parameters,
            body: document.as_ref().zip(shape),
            if_match: if_match.as_ref(),
        };
        let lookups = Lookups(self);
        let (known, _receipt) = block_on(self.authorizer.object(index, question, &lookups, trail))?;
        if known.precondition_failed {
            let judged = Judged {
                status: StatusCode::OK,
                body: Bytes::new(),
                changed: false,
                private: false,
                strip_headers: Vec::new(),
            };
            return Ok((judged, known));
        }
        let judged = self.origin_answers(index, ask, &known, trail)?;
        Ok((judged, known))
    }

    fn origin_answers(
        &self,
        index: OperationIndex,
        ask: Ask<'_>,
        known: &Known,
        trail: &mut Trail,
    ) -> Result<Judged, Denial> {
        let method = if self.authorizer.needs(index).head_as_get { Method::GET } else { ask.method.parse().unwrap() };
        self.calls.lock().unwrap().push(format!("{method} {}", ask.path));
        let subject = ask.caller.identity().map(|i| i.subject.to_string()).unwrap_or_default();
        SUBJECT.set(subject);
        let path = ask.path.split('?').next().unwrap();
        let answer = (self.origin)(&method, path, ask.body);
        let status = StatusCode::from_u16(answer.status).unwrap();
        let question =
            AnswerQuestion { caller: ask.caller, known, status, headers: &answer.headers, body: answer.body };
        let (judged, _receipt) = self.authorizer.answer(index, question, trail)?;
        Ok(judged)
    }
}

/// Runs a future that never waits.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a fake port waited"),
    }
}
