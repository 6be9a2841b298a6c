// An HTTP/2 service in the clear. Prints its port, and ends with its standard input.
import { createServer } from "node:http2";

const server = createServer((request, response) => {
  let bytes = 0;
  request.on("data", (chunk) => (bytes += chunk.length));
  request.on("end", () => {
    const length = request.headers["content-length"] ?? "-";
    if (request.method === "PUT") {
      response.writeHead(204, { "x-got": `${bytes} ${length} ${request.httpVersion}` });
      return response.end();
    }
    response.writeHead(200, { "content-type": "application/octet-stream" });
    const piece = Buffer.alloc(64 * 1024, "x");
    let left = 80;
    const more = () => {
      while (left-- > 0) if (!response.write(piece)) return response.once("drain", more);
      response.end();
    };
    more();
  });
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.on("end", () => process.exit()).resume();
