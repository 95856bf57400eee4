// fast-proxy on its undici client, affinity by cookie and X-Forwarded-For.
import { createServer } from "node:http";
import fastProxy from "fast-proxy";
import { addresses, byCookie, listenAt, ready } from "./arguments.js";

const proxies = addresses.map(({ socketPath, origin }) => fastProxy({ base: origin, undici: { socketPath, connections: 128 } }).proxy);
createServer((request, response) => {
  byCookie(proxies, request.headers.cookie)(request, response, request.url, {
    rewriteRequestHeaders: (incoming, headers) => {
      headers["x-forwarded-for"] = incoming.socket.remoteAddress;
      return headers;
    },
  });
}).listen(listenAt, ready);
