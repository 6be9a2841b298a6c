# SPDX-License-Identifier: Apache-2.0
"""TLS 1.3 handshakes one after another: `handshakes.py full|resumed PORT CA SECS`; a line of JSON like that of wrk.lua."""
import json
import socket
import ssl
import sys
import time


def context(authority):
    made = ssl.create_default_context(cafile=authority)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    made.set_alpn_protocols(["http/1.1"])
    return made


def handshake(port, tls, session=None):
    plain = socket.create_connection(("127.0.0.1", port), 5)
    return tls.wrap_socket(plain, server_hostname="localhost", session=session)


def ticket(port, tls):
    """TLS 1.3 sends tickets after the handshake: they are read with an answer."""
    with handshake(port, tls) as connection:
        connection.sendall(b"GET /json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        while connection.recv(65536):
            pass
        return connection.session


def main():
    kind, port, authority, secs = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    tls = context(authority)
    session = ticket(port, tls) if kind == "resumed" else None
    count, begun = 0, time.monotonic()
    while time.monotonic() < begun + secs:
        with handshake(port, tls, session) as connection:
            if connection.session_reused != (kind == "resumed"):
                sys.exit(f"handshake {count} was not {kind}")
        count += 1
    took = (time.monotonic() - begun) * 1e6
    print(json.dumps({"requests": count, "duration_us": took, "p50_us": 0, "p99_us": 0}))


if __name__ == "__main__":
    main()
