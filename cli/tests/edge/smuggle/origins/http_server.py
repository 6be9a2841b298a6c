"""An origin on Python's http.server. Writes a line for each request it understood."""
import http.client
import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# The gate adds fields of its own to the hundred a client may send.
http.client._MAXHEADERS = 200
OUT = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def say(*words):
    os.write(OUT, ("\t".join(str(word) for word in words) + "\n").encode())


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def body(self):
        """The bytes of the body; None when they are cut short."""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = b""
            while True:
                line = self.rfile.readline(65537)
                if not line.endswith(b"\r\n"):
                    return None
                size = int(line.split(b";")[0], 16)
                chunk = self.rfile.read(size + 2)
                if len(chunk) < size + 2:
                    return None
                if size == 0:
                    return body
                body += chunk[:-2]
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        return body if len(body) == length else None

    def answer(self):
        identifier = self.headers.get("Request-Id", "-")
        body = self.body()
        if body is None:
            say("C", identifier, self.command, self.path, 0)
            self.close_connection = True
            return
        say("R", identifier, self.command, self.path, len(body))
        said = json.dumps({"method": self.command, "target": self.path, "length": len(body), "request": identifier}).encode()
        self.send_response_only(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)
        self.wfile.flush()

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = answer

    def send_error(self, code, message=None, explain=None):
        say("E", "-", "-", f"{code} {message}".replace("\t", " ").replace("\n", " "), 0)
        self.close_connection = True

    def log_message(self, *arguments):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 1024
    daemon_threads = True

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):
            say("E", "-", "-", repr(sys.exc_info()[1]), 0)


server = Server(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_address[1], flush=True)
sys.stdin.read()
