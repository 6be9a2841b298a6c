// SPDX-License-Identifier: Apache-2.0
//! The client against real sockets that do what they should not.

#[cfg(test)]
mod server;

use portcullis_decision::fetch::{Fetch, FetchError};
use portcullis_egress::{ANSWER_BYTES_MAX, Egress, EgressConfig, HEADERS_MAX};
use server::{Server, Then, egress, ok};
use std::sync::atomic::Ordering;
use tokio::net::TcpListener;

#[tokio::test]
async fn a_document_arrives_with_its_type() {
    let server = Server::start(ok("Application/JSON; charset=utf-8", "{}"), Then::Close).await;
    let answer = server.get().await.unwrap();
    assert_eq!((answer.status, answer.content_type.as_deref()), (200, Some("application/json")));
    assert_eq!(&answer.body[..], b"{}");
}

#[tokio::test]
async fn md_3_an_html_page_is_given_as_what_it_is() {
    let server = Server::start(ok("text/html", "<p>log in</p>"), Then::Close).await;
    assert_eq!(server.get().await.unwrap().content_type.as_deref(), Some("text/html"));
}

#[tokio::test]
async fn two_content_types_are_none() {
    let head =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n";
    let server = Server::start(head, Then::Close).await;
    assert_eq!(server.get().await.unwrap().content_type, None);
}

#[tokio::test]
async fn t95_a_redirect_is_not_followed() {
    let target = Server::start(ok("application/json", "{}"), Then::Close).await;
    let redirect = format!("HTTP/1.1 302 Found\r\nLocation: http://{}/\r\nContent-Length: 0\r\n\r\n", target.address);
    let server = Server::start(redirect, Then::Close).await;
    assert_eq!(server.get().await.unwrap().status, 302);
    assert_eq!(target.connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_answer_that_says_it_is_too_large_is_refused_unread() {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", ANSWER_BYTES_MAX + 1);
    let server = Server::start(head, Then::Hang).await;
    assert_eq!(server.get().await.unwrap_err(), FetchError::TooLarge(ANSWER_BYTES_MAX));
}

#[tokio::test]
async fn an_answer_that_turns_out_too_large_is_broken_off() {
    let mut answer = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    answer.resize(ANSWER_BYTES_MAX + 4096, b' ');
    let server = Server::start(answer, Then::Hang).await;
    assert_eq!(server.get().await.unwrap_err(), FetchError::TooLarge(ANSWER_BYTES_MAX));
}

#[tokio::test]
async fn the_largest_answer_arrives() {
    let body = " ".repeat(ANSWER_BYTES_MAX);
    let server = Server::start(ok("application/json", &body), Then::Close).await;
    assert_eq!(server.get().await.unwrap().body.len(), ANSWER_BYTES_MAX);
}

#[tokio::test]
async fn f21_silence_and_a_slow_body_end_at_the_deadline() {
    for answer in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"] {
        let server = Server::start(answer, Then::Hang).await;
        assert_eq!(server.get().await.unwrap_err(), FetchError::Timeout, "{answer:?}");
    }
}

#[tokio::test]
async fn t96_broken_answers_are_errors() {
    let many = format!("HTTP/1.1 200 OK\r\n{}Content-Length: 0\r\n\r\n", "X: y\r\n".repeat(HEADERS_MAX));
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\nContent-Length: 0\r\n\r\n", "y".repeat(64 * 1024));
    let cut = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}".to_owned();
    for answer in [many, long, cut, "nonsense\r\n\r\n".to_owned(), String::new()] {
        let server = Server::start(answer.clone(), Then::Close).await;
        let error = server.get().await.unwrap_err();
        assert!(matches!(error, FetchError::Connection(_)), "{error} for {:?}", answer.get(..40));
    }
}

#[tokio::test]
async fn nobody_at_the_address_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = egress().get(&format!("http://{address}/")).await.unwrap_err();
    assert!(matches!(error, FetchError::Connection(_)), "{error}");
}

#[tokio::test]
async fn t95_t118_addresses_that_are_not_allowed_are_not_called() {
    for url in [
        "http://id.example.com/k",
        "http://10.0.0.1/k",
        "http://169.254.169.254/latest/meta-data",
        "https://169.254.169.254/latest/meta-data",
        "https://[fe80::1]/",
        "https://[::ffff:169.254.169.254]/",
        "https://0.0.0.0/",
        "file:///etc/passwd",
        "http://127.0.0.1@id.example.com/",
    ] {
        assert_eq!(egress().get(url).await.unwrap_err(), FetchError::Address(url.to_owned()));
    }
}

#[tokio::test]
async fn tls_is_not_spoken_in_the_clear() {
    let server = Server::start(ok("application/json", "{}"), Then::Close).await;
    let error = egress().get(&format!("https://{}/keys", server.address)).await.unwrap_err();
    assert!(matches!(error, FetchError::Connection(_)), "{error}");
}

#[test]
fn a_call_runs_on_the_given_runtime_while_another_waits() {
    let control = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let server = control.block_on(Server::start(ok("application/json", "{}"), Then::Close));
    let egress = Egress::new(EgressConfig::default(), control.handle().clone()).unwrap();
    // This runtime has neither timers nor sockets: the call can only have run on the other one.
    let core = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let answer = core.block_on(egress.get(&format!("http://{}/keys", server.address))).unwrap();
    assert_eq!(answer.status, 200);
    drop(control);
    let error = core.block_on(egress.get(&format!("http://{}/keys", server.address))).unwrap_err();
    assert!(matches!(error, FetchError::Connection(_)), "{error}");
}
