// SPDX-License-Identifier: Apache-2.0
//! What a case is: bytes, how they are cut, what may come back, what the upstream may see.

use std::time::Duration;

/// How the bytes are sent.
#[derive(Clone, Debug)]
pub(crate) enum Cut {
    /// In one piece.
    Whole,
    /// One at a time.
    EachByte,
    /// In pieces that end at these places.
    At(Vec<usize>),
    /// The first piece, a pause, the rest.
    Pause(usize, Duration),
    /// The first piece; the rest only when `100 Continue` came.
    AwaitContinue(usize),
    /// In one piece, and then no more: the sending side is closed.
    HalfClose,
}

/// What becomes of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It is closed.
    Closed,
    /// The next request on it is served.
    Open,
    /// Either.
    Any,
}

/// One way in which a case may be answered.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) statuses: Vec<u16>,
    pub(crate) end: End,
}

/// What must hold of every request of a case that reached the upstream.
#[derive(Clone, Debug)]
pub(crate) enum Sees {
    Body(Vec<u8>),
    Target(String),
    Method(&'static str),
    /// No such field.
    Absent(String),
    /// Exactly one such field, with this value.
    Field(String, String),
    /// The head, byte for byte; `*` stands for any text of one line, `{ORIGIN}` and `{CLIENT}` for addresses.
    Head(&'static str),
}

/// As a number of requests upstream: any.
pub(crate) const UNCOUNTED: usize = usize::MAX;

#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// Row of the threats table, and a name.
    pub(crate) id: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) cut: Cut,
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) sees: Vec<Sees>,
    /// The body is passed on as it comes, so that a request cut short upstream is no fault.
    pub(crate) streams: bool,
    /// Requests upstream, where that is not the number of answers 200.
    pub(crate) upstream: Option<usize>,
    /// Answers have no body: the request is HEAD.
    pub(crate) bodiless: bool,
    /// Interim answers, where the case is about them.
    pub(crate) interim: Option<usize>,
}

impl Case {
    fn when(mut self, statuses: &[u16], end: End) -> Self {
        self.outcomes.push(Outcome { statuses: statuses.to_vec(), end });
        self
    }

    /// A further way in which it may be answered.
    pub(crate) fn or(self, statuses: &[u16], end: End) -> Self {
        self.when(statuses, end)
    }

    pub(crate) fn cut(mut self, cut: Cut) -> Self {
        self.cut = cut;
        self
    }

    pub(crate) fn sees(mut self, sees: Sees) -> Self {
        self.sees.push(sees);
        self
    }

    pub(crate) fn streams(mut self) -> Self {
        self.streams = true;
        self
    }

    pub(crate) fn upstream(mut self, count: usize) -> Self {
        self.upstream = Some(count);
        self
    }

    pub(crate) fn bodiless(mut self) -> Self {
        self.bodiless = true;
        self
    }

    pub(crate) fn interim(mut self, count: usize) -> Self {
        self.interim = Some(count);
        self
    }
}

/// The cases of one row.
pub(crate) struct Table {
    row: &'static str,
    pub(crate) cases: Vec<Case>,
}

impl Table {
    pub(crate) fn new(row: &'static str) -> Self {
        Self { row, cases: Vec::new() }
    }

    /// A case without an outcome yet; a number makes its name the only one of the table.
    pub(crate) fn case(&self, name: &str, bytes: impl Into<Vec<u8>>) -> Case {
        let printable: String = name.escape_default().take(48).collect();
        Case {
            id: format!("{}/{}:{printable}", self.row, self.cases.len()),
            bytes: bytes.into(),
            cut: Cut::Whole,
            outcomes: Vec::new(),
            sees: Vec::new(),
            streams: false,
            upstream: None,
            bodiless: false,
            interim: None,
        }
    }

    pub(crate) fn add(&mut self, case: Case) {
        self.cases.push(case);
    }

    /// Refused for what was said: one answer, the connection closed, nothing upstream.
    pub(crate) fn refuse(&mut self, status: u16, name: &str, bytes: impl Into<Vec<u8>>) {
        let case = self.case(name, bytes).when(&[status], End::Closed);
        self.add(case);
    }

    /// The same where several statuses fit.
    pub(crate) fn refuse_any(&mut self, statuses: &[u16], name: &str, bytes: impl Into<Vec<u8>>) {
        let case = statuses.iter().fold(self.case(name, bytes), |case, status| case.when(&[*status], End::Closed));
        self.add(case);
    }

    /// Refused for what was asked: the connection may go on or not; nothing upstream.
    pub(crate) fn deny(&mut self, status: u16, name: &str, bytes: impl Into<Vec<u8>>) {
        let case = self.case(name, bytes).when(&[status], End::Any);
        self.add(case);
    }

    /// Served, and the connection goes on.
    pub(crate) fn serve(&mut self, name: &str, bytes: impl Into<Vec<u8>>, sees: &[Sees]) {
        let mut case = self.case(name, bytes).when(&[200], End::Open);
        case.sees.extend_from_slice(sees);
        self.add(case);
    }

    /// The standards let it be served as one request, or refused.
    pub(crate) fn either(&mut self, name: &str, bytes: impl Into<Vec<u8>>) {
        let case = self.case(name, bytes).when(&[200], End::Any).when(&[400], End::Closed);
        self.add(case);
    }

    /// Answers in this order.
    pub(crate) fn answers(&mut self, statuses: &[u16], end: End, name: &str, bytes: impl Into<Vec<u8>>) {
        let case = self.case(name, bytes).when(statuses, end);
        self.add(case);
    }
}

/// A request that must never be served.
pub(crate) const SMUGGLED: &str = "GET /v1/items/smuggled HTTP/1.1\r\nHost: edge.example.com\r\n\r\n";
pub(crate) const HOST: &str = "Host: edge.example.com\r\n";

/// A head; `fields` end in CRLF each.
pub(crate) fn head(line: &str, fields: &str) -> String {
    format!("{line} HTTP/1.1\r\n{HOST}{fields}\r\n")
}

pub(crate) fn get(target: &str) -> String {
    head(&format!("GET {target}"), "")
}

/// A request whose body is passed on as it comes, and one that is judged first.
pub(crate) const STREAMED: (&str, &str) = ("POST /v1/uploads", "Content-Type: application/octet-stream\r\n");
pub(crate) const JUDGED: (&str, &str) = ("POST /v1/items", "Content-Type: application/json\r\n");

pub(crate) fn post((line, kind): (&str, &str), fields: &str, body: &str) -> String {
    head(line, &format!("{kind}{fields}")) + body
}

/// So many fields of different names.
pub(crate) fn numbered(count: usize, value: &str) -> String {
    (0..count)
        .flat_map(|n| ["X-A".to_owned(), n.to_string(), ": ".to_owned(), value.to_owned(), "\r\n".to_owned()])
        .collect()
}

/// Joins text and bytes that are no text.
pub(crate) fn bytes(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}
