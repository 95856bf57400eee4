// A proxy of node:http alone, with keep-alive agents, affinity by cookie and X-Forwarded-For.
import { Agent, createServer, request as send } from "node:http";
import { pipeline } from "node:stream";
import { addresses, byCookie, listenAt, ready } from "./arguments.js";

const targets = addresses.map(({ socketPath, host, port }) => ({
  ...(socketPath === null ? { host, port } : { socketPath }),
  agent: new Agent({ keepAlive: true }),
}));
createServer((request, response) => {
  const { method, url, headers } = request;
  const target = byCookie(targets, headers.cookie);
  const outgoing = send(
    { ...target, method, path: url, headers: { ...headers, connection: "keep-alive", "x-forwarded-for": request.socket.remoteAddress } },
    (answer) => {
      if (response.destroyed) return answer.destroy();
      response.writeHead(answer.statusCode, answer.rawHeaders);
      pipeline(answer, response, () => {});
    },
  );
  outgoing.on("error", () => response.destroy());
  if (method === "GET") outgoing.end();
  else pipeline(request, outgoing, () => {});
}).listen(listenAt, ready);
