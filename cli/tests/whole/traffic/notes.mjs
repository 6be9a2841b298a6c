// The notes API on node's own server. It checks nothing: whoever asks gets what he asks for.
import { createServer } from "node:http";

const notes = new Map([
  [1, { id: 1, author: "alice", text: "hers", mood: null }],
  [2, { id: 2, author: "bob", text: "his" }],
]);

function answer(response, status, value, kind = "application/json") {
  const body = value === undefined ? "" : kind === "application/json" ? JSON.stringify(value) : value;
  response.writeHead(status, value === undefined ? {} : { "content-type": kind });
  response.end(body);
}

const server = createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    const body = Buffer.concat(parts);
    const path = request.url.split("?")[0];
    if (path.startsWith("/exports/")) return answer(response, 200, path, "text/plain");
    if (path === "/uploads") return answer(response, 200, { bytes: body.length });
    if (path === "/notes" && request.method === "GET") return answer(response, 200, [...notes.values()]);
    if (path === "/notes") {
      const id = Math.max(...notes.keys()) + 1;
      notes.set(id, { id, author: request.headers["x-user"] ?? "nobody", ...JSON.parse(body) });
      return answer(response, 201, notes.get(id));
    }
    const note = notes.get(Number(path.split("/")[2]));
    if (!note) return answer(response, 404, { detail: "stack trace of the upstream" });
    if (request.method === "PUT") Object.assign(note, JSON.parse(body));
    if (request.method === "DELETE") {
      notes.delete(note.id);
      return answer(response, 204);
    }
    answer(response, 200, note);
  });
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
