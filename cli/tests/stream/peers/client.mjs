// Talks through the gate as a browser would; prints what it heard.
const socket = new WebSocket(process.argv[2], ["v3", "v2"]);
socket.binaryType = "arraybuffer";
const heard = {};
socket.onopen = () => {
  heard.extensions = socket.extensions;
  heard.protocol = socket.protocol;
  socket.send("hello");
};
socket.onmessage = (message) => {
  if (typeof message.data === "string") {
    heard.text = message.data;
    socket.send(new Uint8Array([1, 2, 3]));
  } else {
    heard.bytes = message.data.byteLength;
    socket.send("close");
  }
};
socket.onerror = (error) => console.error(error.message ?? error);
socket.onclose = (event) => {
  heard.code = event.code;
  console.log(JSON.stringify(heard));
};
