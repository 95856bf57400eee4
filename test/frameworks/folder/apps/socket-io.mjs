// Socket.IO 4 as its guide has it, with the cookie that lets a balancer keep a client on one server.
import { createServer } from "node:http";
import { Server } from "socket.io";

const server = createServer((request, response) => response.end(JSON.stringify({ ip: request.socket.remoteAddress, pid: process.pid })));
const io = new Server(server, { cookie: true });
io.on("connection", (socket) => socket.on("said", (text, answer) => answer(text)));
server.listen(process.env.PORT);
