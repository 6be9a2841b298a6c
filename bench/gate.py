#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Our configuration for a scenario: `gate.py DIRECTORY SCENARIO PORT UPSTREAM-PORT` writes DIRECTORY/portcullis.yaml.

The audit trail is on, signed and awaited (`durability: committed`) in every scenario: no row measures the product
with something switched off. Caps per address are raised, because all load comes from one.
"""
import json
import pathlib
import sys

import fixtures
import peers

JSON = {"application/json": {}}
OAUTH = {"type": "oauth2", "flows": {"clientCredentials": {
    "tokenUrl": f"{fixtures.ISSUER}/token", "scopes": {"orders:write": "write", "orders:read": "read"}}}}
ORDER = {
    "type": "object", "required": ["id", "owner", "status", "rows"],
    "properties": {
        "id": {"type": "string", "pattern": "^ord_[a-z0-9]{16}$"},
        "owner": {"type": "string", "maxLength": 64},
        "status": {"enum": ["ok", "held"]},
        "margin": {"type": "number"},
        "rows": {"type": "array", "maxItems": 100, "items": {
            "type": "object", "required": ["k", "v"],
            "properties": {"k": {"type": "integer"}, "v": {"type": "string", "maxLength": 64}}}}}}


def body(schema):
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


def document(everything):
    """The OpenAPI document: bare for proxying, with schemas and objects for `all`."""
    answer = {"200": {"description": "ok", "content": body("Order") if everything else JSON}}
    order = {"operationId": "order", "security": [{"oauth": ["orders:write"]}], "responses": answer,
             "requestBody": {"required": True, "content": body("NewOrder") if everything else JSON}}
    plain = {"operationId": "plain", "security": [], "responses": {"200": {"description": "ok", "content": JSON}}}
    paths = {"/json": {"get": plain}, "/orders": {"post": order}}
    components = {"securitySchemes": {"oauth": OAUTH}}
    if everything:
        new = json.loads((fixtures.HERE / "schema.json").read_text())
        components["schemas"] = {"Order": ORDER, "NewOrder": new}
        read = {"operationId": "read", "security": [{"oauth": ["orders:read"]}], "responses": answer,
                "parameters": [{"name": "orderId", "in": "path", "required": True, "schema": {"type": "string"}}]}
        paths = {"/orders": paths["/orders"], "/orders/{orderId}": {"get": read}}
    return {"openapi": "3.1.0", "info": {"title": "Bench", "version": "1"}, "components": components, "paths": paths}


def keyring(scenario, keys):
    if scenario in ("sec-hs256", "all"):
        return {"algorithms": ["HS256"], "secret": {"file": str(keys / "hs256.key")}}
    if scenario.startswith("sec-es256"):
        return {"algorithms": ["ES256"], "jwks": {"file": str(keys / "jwks.json")}}
    # Scenarios without a token still name an issuer; discovery would go out of the machine.
    return {"algorithms": ["HS256"], "secret": {"file": str(keys / "hs256.key")}}


def configuration(scenario, keys, port, upstream):
    everything = scenario == "all"
    listener = {"address": f"127.0.0.1:{port}"}
    if scenario in peers.TLS:
        listener["tls"] = {"certificate": str(keys / "server.pem"), "key": {"file": str(keys / "server.key")}}
    behind = {"targets": [f"http://127.0.0.1:{upstream}"]}
    if scenario == "mtls":
        behind = {"targets": [f"https://127.0.0.1:{upstream}"], "tls": {
            "ca": str(keys / "ca.pem"), "certificate": str(keys / "client.pem"),
            "key": {"file": str(keys / "client.key")}, "server_name": "localhost"}}
    if scenario == "overload":
        behind["concurrency"] = {"max": 200, "queue": 4, "queue_timeout": "50ms", "adaptive": True}
    api = {"openapi": "./openapi.json", "upstream": "bench"}
    if everything:
        api["objects"] = {"Order": {"id": "/orders/{orderId}", "schemas": ["Order"], "owner": "/owner"}}
        api["properties"] = {"Order": {"margin": {"read": ["role:finance"]}}}
    else:
        api["operations"] = {"plain": {"public": True}}
    issuer = {"issuer": fixtures.ISSUER, "audience": fixtures.AUDIENCE, "claims": {"plan": "plan"}}
    return {
        "version": 1,
        "listen": {"public": listener, "admin": {"address": "127.0.0.1:0"}},
        "edge": {"address_rate": "10000000/s",
                 "connections": {"max": 30000, "per_address": 30000, "requests": 1000000, "idle": "10m"}},
        "upstreams": {"bench": behind},
        "apis": {"bench": api},
        "identity": {"issuers": {"bench": {**issuer, **keyring(scenario, keys)}}},
        "plans": {"pro": {"rate": "10000000/s"}},
        "limits": {"default_plan": "pro", "plan_from": "claim:plan",
                   "anonymous": {"rate": "10000000/s", "by": ["address"]}},
    }


def write(directory, scenario, keys, port, upstream):
    """Writes document and configuration, and says where. YAML reads JSON."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "openapi.json").write_text(json.dumps(document(scenario == "all"), indent=1))
    path = directory / "portcullis.yaml"
    path.write_text(json.dumps(configuration(scenario, keys, port, upstream), indent=1))
    return path


def main():
    directory, scenario, port, upstream = sys.argv[1:]
    keys = pathlib.Path(directory) / "keys"
    fixtures.symmetric(keys)
    (keys / "token").write_text(fixtures.token(keys, "hs256"))
    write(pathlib.Path(directory), scenario, keys, int(port), int(upstream))


if __name__ == "__main__":
    main()
