// Socket.IO 4 on WebSockets alone, so that a client needs no server of its own.
import { createServer } from "node:http";
import { Server } from "socket.io";

const server = createServer((request, response) => response.end(JSON.stringify({ ip: request.socket.remoteAddress, pid: process.pid })));
const io = new Server(server, { transports: ["websocket"] });
io.on("connection", (socket) => socket.on("said", (text, answer) => answer(text)));
server.listen(process.env.PORT);
