"""Opens many connections, asks one thing on each, and leaves them open. Says `idle` when it has, ends with its stdin."""
import socket
import ssl
import sys

port, kind, count = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])

context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
context.set_alpn_protocols(["h2"] if kind == "h2+tls" else ["http/1.1"])

HTTP1 = b"GET /plain HTTP/1.1\r\nHost: open.example\r\n\r\n"


def frame(kind, flags, stream, payload):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def http2():
    name = b"open.example"
    # GET, https, and path and authority as they are.
    block = b"\x82\x87\x04\x06/plain\x01" + bytes([len(name)]) + name
    return b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"") + frame(1, 5, 1, block)


def ended_http2(connection):
    """Reads frames up to the end of the stream."""
    reader = connection.makefile("rb")
    while True:
        head = reader.read(9)
        payload = reader.read(int.from_bytes(head[:3], "big"))
        if head[3] == 4 and not head[4] & 1:
            connection.sendall(frame(4, 1, 0, b""))
        if head[3] in (0, 1) and head[4] & 1:
            return
        assert head[3] not in (3, 7), (head, payload)


def open_one():
    connection = socket.create_connection(("127.0.0.1", port))
    if kind != "h1":
        connection = context.wrap_socket(connection, server_hostname="open.example")
    if kind == "h2+tls":
        connection.sendall(http2())
        ended_http2(connection)
    else:
        connection.sendall(HTTP1)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += connection.recv(4096)
        head, body = answer.split(b"\r\n\r\n", 1)
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
        while len(body) < length:
            body += connection.recv(4096)
    return connection


connections = [open_one() for _ in range(count)]
print("idle", flush=True)
sys.stdin.read()
