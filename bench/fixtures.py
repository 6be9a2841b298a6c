# SPDX-License-Identifier: Apache-2.0
"""What every proxy of a run is given: keys, certificates, tokens, one request body, one answer.

Only Python's standard library and the `openssl` command; thousands of distinct ES256 tokens also need the
`cryptography` package, which `install-peers.sh` puts beside the peers.
"""
import base64
import hashlib
import hmac
import json
import os
import pathlib
import re
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
ISSUER, AUDIENCE, SUBJECT = "https://issuer.bench", "bench-api", "user-0001"
BODY_BYTES = 1024


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def openssl(*arguments):
    return subprocess.run(("openssl", *map(str, arguments)), check=True, capture_output=True).stdout


def padded(value, member):
    """`value` as JSON of exactly BODY_BYTES bytes."""
    value[member] = "x" * (BODY_BYTES - len(json.dumps(value)))
    return json.dumps(value)


def bodies(keys):
    """The order that is sent, and the answer of the upstream."""
    items = [{"sku": f"SKU-{i:05d}", "qty": i + 1, "unit_price": 9.99 + i, "tags": ["bench", f"lot-{i}"]} for i in range(10)]
    customer = {"id": "cus_42424242", "email": "bench@example.test", "tier": "pro"}
    order = {"order_id": "ord_0123456789abcdef", "customer": customer, "currency": "EUR", "items": items, "note": ""}
    (keys / "order.json").write_text(padded(order, "note"))
    rows = [{"k": i, "v": f"value-{i:04d}"} for i in range(26)]
    # `pad` is declared by no document and `margin` is for nobody: both must be gone where answers are filtered.
    answer = {"id": "ord_0123456789abcdef", "owner": SUBJECT, "status": "ok", "margin": 0.31, "rows": rows, "pad": ""}
    (keys / "resp.json").write_text(padded(answer, "pad"))


def symmetric(keys):
    """What needs no openssl: bodies, and the shared secret of HS256."""
    keys.mkdir(parents=True, exist_ok=True)
    bodies(keys)
    secret = keys / "hs256.key"
    if not secret.exists():
        secret.write_text(b64(os.urandom(32)))
    secret.chmod(0o600)


def certificates(keys):
    """An authority, a P-256 server certificate (proxies and upstream) and a client certificate."""
    for name in ("ca", "server", "client"):
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", keys / f"{name}.sec1")
        openssl("pkcs8", "-topk8", "-nocrypt", "-in", keys / f"{name}.sec1", "-out", keys / f"{name}.key")
        (keys / f"{name}.key").chmod(0o600)
    openssl("req", "-x509", "-new", "-key", keys / "ca.key", "-subj", "/CN=bench ca", "-days", "365", "-out", keys / "ca.pem",
            "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
    (keys / "ext").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n"
                              "keyUsage=digitalSignature\nextendedKeyUsage=serverAuth,clientAuth\n")
    for name in ("server", "client"):
        openssl("req", "-new", "-key", keys / f"{name}.key", "-subj", f"/CN={name}.bench", "-out", keys / f"{name}.csr")
        openssl("x509", "-req", "-in", keys / f"{name}.csr", "-CA", keys / "ca.pem", "-CAkey", keys / "ca.key",
                "-CAcreateserial", "-days", "300", "-extfile", keys / "ext", "-out", keys / f"{name}.pem")
        both = (keys / f"{name}.pem").read_text() + (keys / f"{name}.key").read_text()
        (keys / f"{name}.both.pem").write_text(both)


def make(run):
    """Everything, made once for a run directory."""
    keys = run / "keys"
    symmetric(keys)
    done = keys / "complete"
    if not done.exists():
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", keys / "es256.pem")
        openssl("pkey", "-in", keys / "es256.pem", "-pubout", "-out", keys / "es256.pub.pem")
        certificates(keys)
        done.write_text("")
    point = openssl("pkey", "-in", keys / "es256.pem", "-pubout", "-outform", "DER")[-64:]
    es256 = {"kty": "EC", "kid": "es256", "alg": "ES256", "use": "sig", "crv": "P-256", "x": b64(point[:32]), "y": b64(point[32:])}
    hs256 = {"kty": "oct", "kid": "hs256", "alg": "HS256", "k": b64((keys / "hs256.key").read_bytes())}
    (keys / "jwks.json").write_text(json.dumps({"keys": [es256]}))
    (keys / "jwks-all.json").write_text(json.dumps({"keys": [hs256, es256]}))  # with the secret, for Envoy
    return keys


def unsigned(alg):
    """Header and claims of an RFC 9068 access token that lives for about an hour."""
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": SUBJECT, "iat": now, "nbf": now - 5, "exp": now + 3500,
              "jti": os.urandom(8).hex(), "client_id": "bench", "scope": "orders:read orders:write profile",
              "plan": "pro", "tenant": "t-100"}
    header = {"alg": alg.upper(), "typ": "at+jwt", "kid": alg}
    return ".".join(b64(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))


def raw_signature(der):
    """The two numbers of an ASN.1 ECDSA signature, 32 bytes each."""
    def number(at):
        length = der[at + 1]
        return int.from_bytes(der[at + 2:at + 2 + length], "big").to_bytes(32, "big"), at + 2 + length
    r, at = number(2)
    s, _ = number(at)
    return r + s


def token(keys, alg):
    text = unsigned(alg)
    if alg == "hs256":
        signature = hmac.new((keys / "hs256.key").read_bytes(), text.encode(), hashlib.sha256).digest()
    else:
        signing = ["openssl", "dgst", "-sha256", "-sign", str(keys / f"{alg}.pem")]
        signature = raw_signature(subprocess.run(signing, input=text.encode(), capture_output=True, check=True).stdout)
    return f"{text}.{b64(signature)}"


MINT = """
import pathlib, sys
sys.path.insert(0, sys.argv[1])
import fixtures
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
keys, count = pathlib.Path(sys.argv[2]), int(sys.argv[3])
key = serialization.load_pem_private_key((keys / "es256.pem").read_bytes(), None)
with open(keys / "tokens.txt", "w") as out:
    for _ in range(count):
        text = fixtures.unsigned("es256")
        out.write(f"{text}.{fixtures.b64(fixtures.raw_signature(key.sign(text.encode(), ec.ECDSA(hashes.SHA256()))))}\\n")
"""


def many_tokens(python, keys, count):
    """`count` distinct ES256 tokens, one a line, in tokens.txt."""
    subprocess.run([str(python), "-c", MINT, str(HERE), str(keys), str(count)], check=True)


def tampered(good):
    """The same token with another signature."""
    head, claims, signature = good.split(".")
    other = "A" if signature[10] != "A" else "B"
    return f"{head}.{claims}.{signature[:10]}{other}{signature[11:]}"


def only_word(text, pattern):
    """The first group of `pattern` in `text`, or an error with the text."""
    found = re.search(pattern, text)
    if not found:
        raise RuntimeError(text)
    return found.group(1)
