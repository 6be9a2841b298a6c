"""The notes API in Python's own server. It checks nothing: whoever asks gets what he asks for."""
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NOTES = {1: {"id": 1, "author": "alice", "text": "hers", "mood": None}, 2: {"id": 2, "author": "bob", "text": "his"}}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, value=None, kind="application/json"):
        body = b"" if value is None else (json.dumps(value) if kind == "application/json" else value).encode()
        self.send_response(status)
        if value is not None:
            self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self):
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            data = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return data
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def note(self):
        return NOTES.get(int(self.path.rsplit("/", 1)[1]))

    def do_GET(self):
        if self.path.startswith("/exports/"):
            return self.answer(200, self.path, "text/plain")
        if self.path.split("?")[0] == "/notes":
            return self.answer(200, list(NOTES.values()))
        note = self.note()
        self.answer(200, note) if note else self.answer(404, {"detail": "stack trace of the upstream"})

    def do_POST(self):
        data = self.body()
        if self.path == "/uploads":
            return self.answer(200, {"bytes": len(data)})
        number = max(NOTES) + 1
        NOTES[number] = {"id": number, "author": self.headers.get("x-user", "nobody"), **json.loads(data)}
        self.answer(201, NOTES[number])

    def do_PUT(self):
        data, note = json.loads(self.body()), self.note()
        if not note:
            return self.answer(404)
        note.update(data)
        self.answer(200, note)

    def do_DELETE(self):
        note = self.note()
        if not note:
            return self.answer(404)
        del NOTES[note["id"]]
        self.answer(204)


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
sys.stdin.close()
server.serve_forever()
