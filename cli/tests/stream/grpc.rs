// SPDX-License-Identifier: Apache-2.0
//! gRPC and HTTP/2 from end to end: grpcio's client and server with the gate between them, and node's `http2`.

use crate::peers::{Server, python, said, scripts};
use crate::scene::Scene;
use serde_json::json;
use std::process::Command;

/// A gate that speaks HTTP/2 to the server, and gives an answer that is read two seconds.
fn before(server: &Server) -> Scene {
    Scene::serving(([127, 0, 0, 1], server.port).into(), |_, text| {
        let two = "http: 2, identity: { header: x-subject }, timeout: { first_byte: 2s, total: 2s }";
        text.replace("circuit_breaker: off", &format!("circuit_breaker: off, {two}"))
    })
}

#[test]
fn px_6_grpc_calls_of_every_kind_pass_with_their_trailers() {
    let server = Server::start(Command::new(python()).arg(scripts().join("grpc_server.py")));
    let scene = before(&server);
    let address = scene.gate.public.to_string();
    let heard = said(Command::new(python()).arg(scripts().join("grpc_client.py")).args([&address, &scene.token()]));
    assert_eq!(heard["unary"], "echo: hello", "{heard}");
    // The service learns who calls; of its trailers those leave that are its own to set.
    assert_eq!(heard["trailing"], json!({"x-seen": "u-alice", "x-raw-bin": [0, 255]}));
    assert_eq!(heard["failed"], json!(["NOT_FOUND", "no such route: grüße"]));
    // What the gate refuses is an HTTP status, and gRPC knows what it means.
    assert_eq!((&heard["missing"], &heard["unknown"]), (&json!("UNAUTHENTICATED"), &json!("UNIMPLEMENTED")));
    assert_eq!(heard["scope"], "PERMISSION_DENIED");
    assert_eq!((&heard["many"], &heard["collect"]), (&json!(2_000), &json!(4_000_000)));
    assert_eq!((&heard["early"], &heard["end"]), (&json!("1"), &json!("OK")));
    let chat: Vec<_> = (0..5).map(|n| format!("you said {n}")).collect();
    assert_eq!(heard["chat"], json!(chat));
    assert_eq!(heard["quiet"], json!(["first", "second"]), "longer than `timeout.total`");
    assert_eq!((&heard["before_cancel"], &heard["at_once"]), (&json!("first"), &json!(200)));
    let (decision, _, _) = scene.end(heard["id"].as_str().unwrap());
    assert_eq!(decision, "allow");
}

#[test]
fn px_6_nodes_http_2_server_gets_bodies_and_sends_large_ones() {
    let server = Server::start(Command::new("node").arg(scripts().join("h2_server.mjs")));
    let scene = before(&server);
    let url = format!("http://{}/file", scene.gate.public);
    let bearer = format!("authorization: Bearer {}", scene.token());
    for version in ["--http1.1", "--http2-prior-knowledge"] {
        let down = Command::new("curl").args(["-sS", version, "-H", &bearer, &url]).output().unwrap();
        assert_eq!(down.stdout.len(), 80 * 64 * 1024, "{version}: {}", String::from_utf8_lossy(&down.stderr));
        let body = scene.directory().join("body");
        std::fs::write(&body, vec![b'y'; 3_000_000]).unwrap();
        let upload = format!("@{}", body.display());
        let up = Command::new("curl")
            .args(["-sS", version, "-X", "PUT", "-H", &bearer, "-H", "content-type: application/octet-stream"])
            .args(["--data-binary", &upload, "-D", "-", &url])
            .output()
            .unwrap();
        let head = String::from_utf8_lossy(&up.stdout).into_owned();
        assert!(head.contains("x-got: 3000000 3000000 2.0"), "{version}: {head}");
    }
}
