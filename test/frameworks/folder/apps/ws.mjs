// A chat on `ws` beside plain HTTP, on one port: every message comes back to who sent it.
import { createServer } from "node:http";
import { WebSocketServer } from "ws";

const server = createServer((request, response) => response.end(JSON.stringify({ ip: request.socket.remoteAddress, pid: process.pid })));
new WebSocketServer({ server }).on("connection", (socket, request) => {
  socket.send(JSON.stringify({ ip: request.socket.remoteAddress }));
  socket.on("message", (data) => socket.send(data.toString()));
});
server.listen(process.env.PORT);
