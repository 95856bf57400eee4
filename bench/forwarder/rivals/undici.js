// The leanest proxy that can be written on node:http and undici's dispatch, affinity by cookie and X-Forwarded-For.
import { createServer } from "node:http";
import { Pool } from "undici";
import { addresses, byCookie, listenAt, ready } from "./arguments.js";

const pools = addresses.map(({ socketPath, origin }) => new Pool(origin, { socketPath, connections: 128 }));
const hopByHop = new Set(["connection", "keep-alive", "transfer-encoding", "upgrade", "te", "trailer", "proxy-connection"]);

function headersOf(request) {
  const headers = [];
  for (let at = 0; at < request.rawHeaders.length; at += 2) {
    if (!hopByHop.has(request.rawHeaders[at].toLowerCase())) headers.push(request.rawHeaders[at], request.rawHeaders[at + 1]);
  }
  headers.push("X-Forwarded-For", request.socket.remoteAddress);
  return headers;
}

createServer((request, response) => {
  const { method, url, headers } = request;
  const body = method === "GET" || method === "HEAD" ? null : request;
  let controller = null;
  response.on("drain", () => controller?.resume());
  byCookie(pools, headers.cookie).dispatch(
    { method, path: url, headers: headersOf(request), body },
    {
      onRequestStart: (given) => {
        controller = given;
      },
      onResponseStart: (_controller, status, answered) => {
        for (const name of hopByHop) delete answered[name];
        response.writeHead(status, answered);
      },
      onResponseData: (given, chunk) => {
        if (!response.write(chunk)) given.pause();
      },
      onResponseEnd: () => response.end(),
      onResponseError: () => response.destroy(),
    },
  );
}).listen(listenAt, ready);
