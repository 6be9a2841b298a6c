// An origin on node's own parser. Writes a line for each request it understood: kind, Request-Id, method, target, length.
import fs from "node:fs";
import http from "node:http";

const out = fs.openSync(process.argv[2], "a");
const say = (...words) => fs.writeSync(out, words.join("\t") + "\n");

const server = http.createServer({ keepAliveTimeout: 600_000, requestTimeout: 0, headersTimeout: 0 }, (request, response) => {
  const id = request.headers["request-id"] ?? "-";
  let length = 0;
  let whole = false;
  request.on("data", (data) => (length += data.length));
  request.on("end", () => {
    whole = true;
    say("R", id, request.method, request.url, length);
    const said = JSON.stringify({ method: request.method, target: request.url, length, request: id });
    response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(said) });
    response.end(said);
  });
  request.on("close", () => whole || say("C", id, request.method, request.url, length));
  request.on("error", () => {});
});
server.on("clientError", (error, socket) => {
  if (error.code !== "ECONNRESET" && error.code !== "HPE_INVALID_EOF_STATE") say("E", "-", "-", error.code, 0);
  socket.destroy();
});
server.on("upgrade", (_, socket) => (say("E", "-", "-", "upgrade", 0), socket.destroy()));
server.on("connect", (_, socket) => (say("E", "-", "-", "connect", 0), socket.destroy()));
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.on("end", () => process.exit(0)).resume();
