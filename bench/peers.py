# SPDX-License-Identifier: Apache-2.0
"""How each peer is set up for a scenario: one worker, no access log, keep-alive on both sides, and the same work as ours.

What each lacks, so that rows are read fairly: nginx verifies no tokens; HAProxy 2.6 remembers no verified token and has
no key sets; Envoy's local limit is a bucket of the route, not of the subject. None validates bodies or judges answers.
"""
import json
import os
import pathlib

import fixtures

CACHE = pathlib.Path(os.environ.get("PORTCULLIS_BENCH_CACHE")
                     or pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "portcullis-bench")
TLS = ("tls", "mtls", "handshake", "handshake-resumed", "idle-tls", "idle-h2")
EXTENSIONS = "type.googleapis.com/envoy.extensions."

HAPROXY_TOKENS = """http-request deny deny_status 401 unless {{ req.hdr(authorization) -m beg "Bearer " }}
  http-request set-var(txn.b) http_auth_bearer
  http-request set-var(txn.alg) var(txn.b),jwt_header_query('$.alg')
  http-request deny deny_status 401 unless {{ var(txn.alg) -m str {alg} }}
  http-request deny deny_status 401 unless {{ var(txn.b),jwt_verify(txn.alg,"{key}") 1 }}
  http-request deny deny_status 401 unless {{ var(txn.b),jwt_payload_query('$.iss') -m str {issuer} }}
  http-request deny deny_status 401 unless {{ var(txn.b),jwt_payload_query('$.aud') -m str {audience} }}
  http-request set-var(txn.exp) var(txn.b),jwt_payload_query('$.exp','int')
  http-request set-var(txn.now) date()
  http-request deny deny_status 401 if {{ var(txn.exp),sub(txn.now) -m int lt 0 }}
  http-request deny deny_status 403 unless {{ var(txn.b),jwt_payload_query('$.scope') -m sub orders:write }}
  http-request set-var(txn.sub) var(txn.b),jwt_payload_query('$.sub')
  http-request track-sc0 var(txn.sub) table rl
  http-request deny deny_status 429 if {{ sc_http_req_rate(0,rl) gt 10000000 }}"""


def algorithm(scenario):
    """Of the tokens of a scenario, or None where there are none. `all` is compared with what peers do with HS256."""
    if scenario == "all":
        return "hs256"
    return scenario.split("-")[1] if scenario.startswith("sec-") else None


def fill(name, **values):
    text = (fixtures.HERE / "peers" / name).read_text()
    for key, value in values.items():
        text = text.replace("{" + key + "}", str(value))
    return text


def nginx(directory, scenario, keys, port, upstream):
    if algorithm(scenario):
        return None
    mtls = scenario == "mtls"
    listen = " ssl http2" if scenario == "idle-h2" else " ssl" if scenario in TLS else ""
    tls = f"ssl_certificate {keys}/server.pem; ssl_certificate_key {keys}/server.key; ssl_protocols TLSv1.3; ssl_session_tickets on;"
    towards = (f"proxy_ssl_certificate {keys}/client.pem; proxy_ssl_certificate_key {keys}/client.key; "
               f"proxy_ssl_trusted_certificate {keys}/ca.pem; proxy_ssl_verify on; proxy_ssl_name localhost; proxy_ssl_protocols TLSv1.3;")
    conf = directory / "nginx.conf"
    conf.write_text(fill("nginx.conf", run=directory, port=port, upt=upstream, ssl=listen, tls=tls if scenario in TLS else "",
                         scheme="https" if mtls else "http", uptls=towards if mtls else ""))
    return ["nginx", "-p", str(directory), "-c", str(conf)]


def haproxy(directory, scenario, keys, port, upstream):
    alg, tokens = algorithm(scenario), ""
    if alg:
        key = (keys / "hs256.key").read_text() if alg == "hs256" else keys / f"{alg}.pub.pem"
        tokens = HAPROXY_TOKENS.format(alg=alg.upper(), key=key, issuer=fixtures.ISSUER, audience=fixtures.AUDIENCE)
    alpn = "h2,http/1.1" if scenario == "idle-h2" else "http/1.1"
    towards = f"ssl verify required ca-file {keys}/ca.pem crt {keys}/client.both.pem sni str(localhost) verifyhost localhost"
    conf = directory / "haproxy.cfg"
    conf.write_text(fill("haproxy.cfg", port=port, upt=upstream, sec=tokens,
                         tlsg="ssl-default-bind-options ssl-min-ver TLSv1.3" if scenario in TLS else "",
                         ssl=f" ssl crt {keys}/server.both.pem alpn {alpn}" if scenario in TLS else "",
                         uptls=towards if scenario == "mtls" else ""))
    return ["haproxy", "-f", str(conf), "-db", "-q"]


def envoy_filters(keys, cache):
    """JWT, RBAC on its scope, and the local limit."""
    provider = {"issuer": fixtures.ISSUER, "audiences": [fixtures.AUDIENCE], "payload_in_metadata": "jwt_payload", "forward": True,
                "local_jwks": {"inline_string": (keys / "jwks-all.json").read_text()}}
    if cache:
        provider["jwt_cache_config"] = {"jwt_cache_size": 100000}
    http = EXTENSIONS + "filters.http."
    jwt = {"@type": http + "jwt_authn.v3.JwtAuthentication", "providers": {"p": provider},
           "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "p"}}]}
    scope = {"metadata": {"filter": "envoy.filters.http.jwt_authn", "path": [{"key": "jwt_payload"}, {"key": "scope"}],
                          "value": {"string_match": {"contains": "orders:write"}}}}
    method = {"header": {"name": ":method", "string_match": {"exact": "POST"}}}
    call = {"and_rules": {"rules": [method, {"url_path": {"path": {"prefix": "/orders"}}}]}}
    rbac = {"@type": http + "rbac.v3.RBAC",
            "rules": {"action": "ALLOW", "policies": {"w": {"permissions": [call], "principals": [scope]}}}}
    limit = {"@type": http + "local_ratelimit.v3.LocalRateLimit", "stat_prefix": "rl"}
    always = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
    bucket = {"max_tokens": 10000000, "tokens_per_fill": 10000000, "fill_interval": "1s"}
    filters = [{"name": "envoy.filters.http." + name, "typed_config": config}
               for name, config in (("jwt_authn", jwt), ("rbac", rbac), ("local_ratelimit", limit))]
    per_route = {"envoy.filters.http.local_ratelimit": {**limit, "token_bucket": bucket, "filter_enabled": always, "filter_enforced": always}}
    return filters, per_route


def envoy_tls(kind, keys, certificate, **more):
    versions = {"tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3"}
    chain = {"certificate_chain": {"filename": f"{keys}/{certificate}.pem"}, "private_key": {"filename": f"{keys}/{certificate}.key"}}
    outer = {k: more.pop(k) for k in ("sni",) if k in more}
    return {"name": "envoy.transport_sockets.tls", "typed_config": {
        "@type": f"{EXTENSIONS}transport_sockets.tls.v3.{kind}", **outer,
        "common_tls_context": {"tls_params": versions, "tls_certificates": [chain], **more}}}


def envoy_configuration(scenario, keys, port, upstream, cache):
    filters, route = [], {"match": {"prefix": "/"}, "route": {"cluster": "u", "timeout": "30s"}}
    if algorithm(scenario):
        filters, route["typed_per_filter_config"] = envoy_filters(keys, cache)
    router = {"@type": EXTENSIONS + "filters.http.router.v3.Router", "suppress_envoy_headers": True, "dynamic_stats": False}
    filters.append({"name": "envoy.filters.http.router", "typed_config": router})
    manager = {"@type": EXTENSIONS + "filters.network.http_connection_manager.v3.HttpConnectionManager", "stat_prefix": "i",
               "generate_request_id": False, "server_header_transformation": "PASS_THROUGH", "http_filters": filters,
               "route_config": {"virtual_hosts": [{"name": "v", "domains": ["*"], "routes": [route]}]}}
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    if scenario in TLS:
        protocols = ["h2", "http/1.1"] if scenario == "idle-h2" else ["http/1.1"]
        chain["transport_socket"] = envoy_tls("DownstreamTlsContext", keys, "server", alpn_protocols=protocols)
    address = lambda p: {"socket_address": {"address": "127.0.0.1", "port_value": p}}
    caps = {"max_connections": 8192, "max_pending_requests": 8192, "max_requests": 8192}
    cluster = {"name": "u", "type": "STATIC", "connect_timeout": "5s", "circuit_breakers": {"thresholds": [caps]},
               "load_assignment": {"cluster_name": "u", "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(upstream)}}]}]}}
    if scenario == "mtls":
        trusted = {"trusted_ca": {"filename": f"{keys}/ca.pem"}}
        cluster["transport_socket"] = envoy_tls("UpstreamTlsContext", keys, "client", sni="localhost", validation_context=trusted)
    listener = {"name": "l", "address": address(port), "filter_chains": [chain]}
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def envoy(directory, scenario, keys, port, upstream):
    """With its cache of verified tokens, except where no token is seen twice."""
    conf = directory / "envoy.json"
    conf.write_text(json.dumps(envoy_configuration(scenario, keys, port, upstream, scenario != "sec-es256-new")))
    return [str(CACHE / "envoy"), "-c", str(conf), "--concurrency", "1", "--disable-hot-restart", "--log-level", "error"]


PEERS = {"nginx": nginx, "haproxy": haproxy, "envoy": envoy}


def command(name, run, scenario, keys, port, upstream):
    """How a peer is started for a scenario, or None where it cannot do the work."""
    directory = run / f"{name}-{scenario}"
    directory.mkdir(parents=True, exist_ok=True)
    return PEERS[name](directory, scenario, keys, port, upstream)
