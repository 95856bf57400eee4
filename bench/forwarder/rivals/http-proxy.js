// http-proxy with keep-alive agents, affinity by cookie and X-Forwarded-For.
import { Agent, createServer } from "node:http";
import httpProxy from "http-proxy";
import { addresses, byCookie, listenAt, ready } from "./arguments.js";

const proxies = addresses.map(({ socketPath, host, port }) =>
  httpProxy.createProxyServer({
    target: socketPath === null ? { host, port } : { socketPath },
    agent: new Agent({ keepAlive: true }),
    xfwd: true,
  }),
);
createServer((request, response) => {
  byCookie(proxies, request.headers.cookie).web(request, response, {}, () => response.destroy());
}).listen(listenAt, ready);
