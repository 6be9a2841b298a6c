// SPDX-License-Identifier: Apache-2.0
//! T20–T23: one version, one form of target, one host, a body only where one is declared (RFC 9112 §3, SM-9..SM-11).

use crate::case::{Case, Cut, End, HOST, JUDGED, SMUGGLED, STREAMED, Sees, Table, bytes, get, head, post};
use crate::corpus;
use crate::origin;

fn t20() -> Vec<Case> {
    let mut table = Table::new("T20");
    for version in [
        "HTTP/1.2",
        "HTTP/1.9",
        "HTTP/2.0",
        "HTTP/2",
        "HTTP/3.0",
        "HTTP/0.9",
        "HTTP/9.9",
        "HTTP/01.1",
        "HTTP/1.01",
        "HTTP/1.10",
        "HTTP/11",
        "HTTP/1",
        "HTTP/1.",
        "HTTP/.1",
        "HTTP/-1.1",
        "HTTP/1,1",
        "HTTP/1.1x",
        "HTTP/1.1.1",
        "http/1.1",
        "Http/1.1",
        "HTTPS/1.1",
        "HTTP1.1",
        "HTTP /1.1",
        "HTTP/ 1.1",
        "ICY/1.1",
        "RTSP/1.0",
        "SIP/2.0",
        "HTTP/\u{ff11}.1",
        "HTTP/1.1 ",
        "HTTP/1.1\t",
        "\u{b}HTTP/1.1",
        "HTTP/1.1\u{0}",
        "",
        "H",
    ] {
        let text = format!("GET /v1/items/1 {version}\r\n{HOST}\r\n");
        table.refuse_any(&[400, 505], version, text + SMUGGLED);
    }
    for text in ["GET /v1/items/1\r\n", "GET /v1/items/1\r\n\r\n", "GET\r\n\r\n", "/v1/items/1\r\n\r\n", "GET /\r\n"] {
        table.refuse_any(&[400, 505], "0.9", text);
    }
    for (name, raw) in [
        ("client hello", &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..]),
        ("client hello with line ends", b"\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n"),
        ("ssl 2", b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10"),
        ("proxy v2", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c"),
        ("zeros", &[0; 3000]),
        ("ones", &[0xff; 3000]),
        ("ssh", b"SSH-2.0-OpenSSH_9.9\r\n"),
        ("smtp", b"EHLO mallory\r\n\r\n"),
        ("redis", b"*1\r\n$4\r\nPING\r\n"),
        ("an answer", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        ("json", b"{\"jsonrpc\":\"2.0\"}\r\n\r\n"),
        ("byte order mark", b"\xef\xbb\xbfGET /v1/items/1 HTTP/1.1\r\nHost: edge.example.com\r\n\r\n"),
    ] {
        let case = table.case(name, raw).or(&[400], End::Closed).or(&[505], End::Closed);
        table.add(case);
        let case = table.case(&format!("{name}, each byte"), &raw[..raw.len().min(40)]);
        table.add(case.or(&[400], End::Closed).or(&[505], End::Closed).or(&[408], End::Closed).cut(Cut::EachByte));
    }
    table.answers(&[200], End::Any, "1.0", get("/v1/items/1").replace("HTTP/1.1", "HTTP/1.0"));
    table.cases
}

fn t21() -> Vec<Case> {
    let mut table = Table::new("T21");
    for line in [
        "GET\t/v1/items/1\tHTTP/1.1",
        "GET  /v1/items/1 HTTP/1.1",
        "GET /v1/items/1  HTTP/1.1",
        " GET /v1/items/1 HTTP/1.1",
        "GET /v1/items/1 HTTP/1.1 ",
        "GET /v1/items/1 x HTTP/1.1",
        "GET /v1/items/ 1 HTTP/1.1",
        "GET\u{b}/v1/items/1 HTTP/1.1",
        "GET\u{a0}/v1/items/1 HTTP/1.1",
        "GET /v1/items/1\tHTTP/1.1",
        "GET\t/v1/items/1 HTTP/1.1",
        "GET HTTP/1.1",
        "GET /v1/items/1 HTTP/1.1 HTTP/1.1",
        "GET /v1/items/1HTTP/1.1",
        " /v1/items/1 HTTP/1.1",
        "GET /v1/items/1 GET /v1/items/2 HTTP/1.1",
    ] {
        table.refuse_any(&[400, 505], line, format!("{line}\r\n{HOST}\r\n{SMUGGLED}"));
    }
    for target in [
        "*",
        "edge.example.com:80",
        "edge.example.com",
        "v1/items/1",
        "?q=1",
        "./v1/items/1",
        "../v1/items/1",
        "\\v1\\items\\1",
        "%2fv1/items/1",
        "http://edge.example.com/v1/items/1",
        "HTTP://edge.example.com/v1/items/1",
        "https://edge.example.com/v1/items/1",
        "http://other.example.com/v1/items/1",
        "http://edge.example.com",
        "http:///v1/items/1",
        "http:/v1/items/1",
        "http://",
        "http://a@edge.example.com/v1/items/1",
        "ftp://edge.example.com/v1/items/1",
        "file:///v1/items/1",
        "javascript:alert(1)",
        "//edge.example.com/v1/items/1",
        "///v1/items/1",
        "/v1/items/1#",
        "/v1/items/1#frag",
        "/v1/search?q=a#b",
        "#",
        "/#/v1/items/1",
        "/v1/items/\"1\"",
        "/v1/items/<1>",
        "/v1/items/1^",
        "/v1/items/{1}",
        "/v1/items/a|b",
        "/v1/items/`1`",
        "/v1/items/1\u{7f}",
        "/v1/items/\u{1}",
        "/v1/items/é",
        "/v1/search?q=é",
        "/v1/search?q=\"",
        "/v1/search?q=<a>",
        "/v1/search?q=a\\b",
        "/v1/search?q=`",
        "/v1/search?q=%",
        "/v1/search?q=%zz",
        "/v1/search?q=%0",
        "/v1/items/1\u{feff}",
    ] {
        table.refuse(400, target, head(&format!("GET {target}"), "") + SMUGGLED);
    }
    for method in ["GET", "POST", "DELETE", "PUT"] {
        table.refuse_any(&[400, 405], &format!("{method} *"), head(&format!("{method} *"), ""));
    }
    // `OPTIONS *` is no fault of form, but nothing here answers for the whole server.
    let case =
        table.case("OPTIONS *", head("OPTIONS *", "")).or(&[400], End::Any).or(&[404], End::Any).or(&[405], End::Any);
    table.add(case);
    table.serve("a colon in a segment", get("/v1/items/a:b"), &[Sees::Target("/items/a:b".into())]);
    table.serve("what a segment may hold", get("/v1/items/a-._~!$&'()*+,=:@b"), &[]);
    table.serve("an empty query", get("/v1/search?"), &[Sees::Target("/search".into())]);
    table.cases
}

fn t22() -> Vec<Case> {
    let mut table = Table::new("T22");
    let with = |hosts: &str| format!("GET /v1/items/1 HTTP/1.1\r\n{hosts}\r\n");
    for hosts in [
        "",
        "Host:\r\n",
        "Host: \r\n",
        "Host: edge.example.com\r\nHost: edge.example.com\r\n",
        "Host: edge.example.com\r\nHost: other.example.com\r\n",
        "Host: other.example.com\r\nHost: edge.example.com\r\n",
        "Host: edge.example.com\r\nX-A: b\r\nhOST: edge.example.com\r\n",
        "Host: edge.example.com, other.example.com\r\n",
        "Host: edge.example.com,edge.example.com\r\n",
        "Host: edge.example.com edge.example.com\r\n",
        "Host: a@edge.example.com\r\n",
        "Host: a:b@edge.example.com\r\n",
        "Host: edge.example.com/\r\n",
        "Host: edge.example.com/v1\r\n",
        "Host: http://edge.example.com\r\n",
        "Host: edge.example.com?a\r\n",
        "Host: edge.example.com#a\r\n",
        "Host: edge.example.com:\r\n",
        "Host: edge.example.com:x\r\n",
        "Host: edge.example.com:80x\r\n",
        "Host: edge.example.com:-1\r\n",
        "Host: edge.example.com:+80\r\n",
        "Host: edge.example.com:080\r\n",
        "Host: edge.example.com:65536\r\n",
        "Host: edge.example.com:99999\r\n",
        "Host: edge.example.com:80:80\r\n",
        "Host: :80\r\n",
        "Host: edge.example.com..\r\n",
        "Host: .edge.example.com\r\n",
        "Host: edge..example.com\r\n",
        "Host: edge.example.com\\\r\n",
        "Host: edge%2eexample.com\r\n",
        "Host: edge.example.com%00\r\n",
        "Host: edge.example.com;a\r\n",
        "Host: edge.example.com|a\r\n",
        "Host: \"edge.example.com\"\r\n",
        "Host: <edge.example.com>\r\n",
        "Host: edge.example.com\u{b}\r\n",
        "Host: edge.example.com\u{0}\r\n",
        "Host: \u{e9}dge.example.com\r\n",
        "Host: edge.example.com\u{3002}\r\n",
        "Host: [::1\r\n",
        "Host: ::1\r\n",
        "Host: [::1]x\r\n",
        "Host: [fe80::1%25eth0]\r\n",
        "Host: [fe80::1%eth0]\r\n",
        "Host: [edge.example.com]\r\n",
        "Host: []\r\n",
        "Host: [1.2.3.4]\r\n",
        "Host: *\r\n",
        "Host: edge.example.com\t:80\r\n",
    ] {
        table.refuse(400, hosts, with(hosts) + SMUGGLED);
    }
    for host in [
        "other.example.com",
        "example.com",
        "edge.example.com.evil.test",
        "xedge.example.com",
        "edge",
        "127.0.0.1",
        "localhost",
        "[::1]",
        "edge-example.com",
        "1.1.1.1:80",
        "edge.example.co",
        "0",
        "EDGE.EXAMPLE.COM.x",
    ] {
        table.deny(421, host, with(&format!("Host: {host}\r\n")));
    }
    for host in
        ["edge.example.com", "EDGE.example.COM", "edge.example.com.", "edge.example.com:80", "Edge.Example.Com.:8080"]
    {
        let plain = host.to_lowercase().replace(".:", ":");
        let plain = plain.strip_suffix('.').unwrap_or(&plain).to_owned();
        table.serve(host, with(&format!("Host: {host}\r\n")), &[Sees::Field("x-forwarded-host".into(), plain)]);
    }
    let fields = format!(
        "{HOST}X-Forwarded-Host: mallory\r\nX-Host: mallory\r\nX-Original-Host: mallory\r\nX-Forwarded-Server: mallory\r\n"
    );
    table.serve(
        "other names of hosts",
        with(&fields),
        &[Sees::Field("x-forwarded-host".into(), "edge.example.com".into())],
    );
    table.cases
}

fn t23() -> Vec<Case> {
    let mut table = Table::new("T23");
    for (line, statuses) in [
        ("GET /v1/items/1", &[400_u16] as &[u16]),
        ("DELETE /v1/items/1", &[400]),
        ("GET /v1/search?q=a", &[400]),
        ("HEAD /v1/items/1", &[400, 405]),
        ("OPTIONS /v1/items/1", &[400, 405]),
        ("TRACE /v1/items/1", &[400, 405]),
        ("GET /v1/private/1", &[400, 401]),
    ] {
        for (name, fields, body) in [
            ("length", "Content-Length: 5\r\n".to_owned(), "hello".to_owned()),
            ("a request", format!("Content-Length: {}\r\n", SMUGGLED.len()), SMUGGLED.to_owned()),
            ("chunks", "Transfer-Encoding: chunked\r\n".to_owned(), "5\r\nhello\r\n0\r\n\r\n".to_owned()),
            ("json", "Content-Type: application/json\r\nContent-Length: 2\r\n".to_owned(), "{}".to_owned()),
        ] {
            let mut case = table.case(&format!("{line} {name}"), head(line, &fields) + &body);
            if line.starts_with("HEAD") {
                case = case.bodiless();
            }
            table.add(statuses.iter().fold(case, |case, status| case.or(&[*status], End::Any)));
        }
        if line.starts_with("GET /v1/i") || line.starts_with("DEL") {
            let case = table.case(&format!("{line} nothing"), head(line, "Content-Length: 0\r\n"));
            table.add(case.or(&[200], End::Any).or(&[400], End::Closed).sees(Sees::Body(Vec::new())));
            let case =
                table.case(&format!("{line} no chunks"), head(line, "Transfer-Encoding: chunked\r\n") + "0\r\n\r\n");
            table.add(case.or(&[200], End::Any).or(&[400], End::Closed).sees(Sees::Body(Vec::new())));
        }
    }
    for kind in [STREAMED, JUDGED] {
        table.deny(400, "a body is due", post(kind, "", ""));
    }
    // The whole head, as it must stand.
    let pattern = "GET /items/1 HTTP/1.1\nhost: {ORIGIN}\n\
        accept: application/json\naccept-language: de\naccept-encoding: identity\nvia: 1.1 portcullis\nrequest-id: *\n\
        forwarded: for={CLIENT};proto=http;host=\"edge.example.com\"\nx-forwarded-for: {CLIENT}\nx-forwarded-proto: http\n\
        x-forwarded-host: edge.example.com\ntraceparent: 00-*-00\n\n";
    table.serve(
        "byte for byte",
        head("GET /v1/items/1", "Accept: */*\r\nAccept-Language: de\r\n"),
        &[Sees::Head(pattern)],
    );
    table.cases
}

/// The cases of this file.
pub(super) fn all() -> Vec<Case> {
    [t20(), t21(), t22(), t23(), preface()].concat()
}

#[test]
fn t20_t21_t22_t23_one_version_one_target_one_host_and_a_body_where_declared() {
    corpus::run(&all(), origin::echo);
}

/// The preface of HTTP/2 on a connection that speaks HTTP/1: refused as a request of a version nobody has, or taken for
/// what it is; never a request upstream.
fn preface() -> Vec<Case> {
    let mut table = Table::new("T20-preface");
    for raw in [
        &b"PRI * HTTP/2.0\r\n\r\nSM\r\n"[..],
        b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
        b"PRI / HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"PRI * HTTP/1.1\r\n\r\nSM\r\n\r\n",
        b"pri * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"PRI * HTTP/2.0\r\nHost: edge.example.com\r\n\r\nSM\r\n\r\n",
    ] {
        let name = String::from_utf8_lossy(raw).into_owned();
        let case = table.case(&name, raw).or(&[400], End::Closed).or(&[505], End::Closed).or(&[408], End::Closed);
        table.add(case.or(&[405], End::Closed).or(&[], End::Closed).cut(Cut::HalfClose));
    }
    let after = bytes(&[get("/v1/items/1").as_bytes(), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]);
    let case = table.case("after a request", after).or(&[200, 400], End::Closed).or(&[200, 505], End::Closed);
    table.add(case);
    table.cases
}
