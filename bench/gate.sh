#!/usr/bin/env bash
# Writes a configuration for a scenario of bench.py and becomes the gate. gate.sh BINARY SCENARIO PORT UPSTREAM KEYS
set -euo pipefail
binary="$1" scenario="$2" port="$3" upstream="$4" keys="$5"
# A fresh folder each time, removed with all the others when the bench is over: ext4 looks long for inodes where many files
# have just been deleted, and that would be counted as ours.
dir="$(mktemp -d "$(dirname "$keys")/portcullis-$scenario.XXXXXX")"
cat > "$dir/openapi.json" <<'JSON'
{ "openapi": "3.1.0", "info": { "title": "Bench", "version": "1" },
  "components": { "securitySchemes": { "oauth": { "type": "oauth2", "flows": { "clientCredentials": {
    "tokenUrl": "https://issuer.bench/token", "scopes": { "orders:write": "write" } } } } } },
  "paths": {
    "/json": { "get": { "operationId": "plain", "security": [], "responses": { "200": { "description": "ok", "content": { "application/json": {} } } } } },
    "/orders": { "post": { "operationId": "order", "security": [ { "oauth": ["orders:write"] } ],
      "requestBody": { "content": { "application/json": {} } }, "responses": { "200": { "description": "ok", "content": { "application/json": {} } } } } } } }
JSON
case "$scenario" in
  sec-hs256) keyring="algorithms: [HS256], secret: { file: $keys/hs256.key }" ;;
  sec-rs256) keyring="algorithms: [RS256], jwks: { file: $keys/jwks.json }" ;;
  *) keyring="algorithms: [ES256], jwks: { file: $keys/jwks.json }" ;;
esac
cat > "$dir/portcullis.yaml" <<YAML
version: 1
listen: { public: { address: "127.0.0.1:$port" }, admin: { address: "127.0.0.1:0" } }
edge: { address_rate: 10000000/s, connections: { max: 10000, per_address: 10000, requests: 1000000, idle: 10m } }
upstreams: { bench: { targets: ["http://127.0.0.1:$upstream"] } }
apis:
  bench:
    openapi: ./openapi.json
    upstream: bench
    operations: { plain: { public: true } }
identity: { issuers: { bench: { issuer: "https://issuer.bench", audience: bench-api, $keyring } } }
plans: { default: { rate: 10000000/s } }
limits: { default_plan: default, anonymous: { rate: 10000000/s, by: [address] } }
YAML
exec "$binary" run -c "$dir/portcullis.yaml" > "$dir/log" 2>&1
