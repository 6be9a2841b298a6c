"""Opens a WebSocket over TLS, says something, and prints what comes back."""
import os
import socket
import ssl
import sys

context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
context.set_alpn_protocols(["http/1.1"])
plain = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
connection = context.wrap_socket(plain, server_hostname="open.example")
connection.sendall(
    b"GET /open HTTP/1.1\r\nHost: open.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
reader = connection.makefile("rb")
status = reader.readline().split()[1].decode()
while reader.readline() not in (b"\r\n", b""):
    pass
text = b"x" * 100_000
mask = os.urandom(4)
masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(text))
connection.sendall(b"\x81\xff" + len(text).to_bytes(8, "big") + mask + masked)
head = reader.read(2)
length = int.from_bytes(reader.read(8), "big")
back = reader.read(length)
connection.sendall(b"\x88\x82" + mask + bytes([0x03 ^ mask[0], 0xE8 ^ mask[1]]))
close = reader.read(4)
print(status, head[0], back == b"echo: " + text, int.from_bytes(close[2:4], "big"), reader.read() == b"")
