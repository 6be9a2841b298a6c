// Sends the cases on stdin with node's fetch; prints what came back.
let text = "";
for await (const part of process.stdin) text += part;
const given = JSON.parse(text);
const answers = [];
for (const { method, path, headers, body } of given.cases) {
  const answer = await fetch(given.url + path, { method, headers, body });
  answers.push({ status: answer.status, body: await answer.text(), id: answer.headers.get("request-id") });
}
console.log(JSON.stringify(answers));
