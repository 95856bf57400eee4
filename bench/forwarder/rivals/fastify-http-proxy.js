// @fastify/http-proxy on undici, affinity by cookie and X-Forwarded-For.
import httpProxy from "@fastify/http-proxy";
import Fastify from "fastify";
import { Dispatcher, Pool } from "undici";
import { addresses, byCookie, listenAt, ready } from "./arguments.js";

const pools = addresses.map(({ socketPath, origin }) => new Pool(origin, { socketPath, connections: 128 }));

class ByCookie extends Dispatcher {
  dispatch(options, handler) {
    return byCookie(pools, options.headers.cookie).dispatch(options, handler);
  }
}

const fastify = Fastify();
await fastify.register(httpProxy, {
  upstream: "http://localhost",
  undici: new ByCookie(),
  replyOptions: { rewriteRequestHeaders: (request, headers) => ({ ...headers, "x-forwarded-for": request.ip }) },
});
await fastify.listen(listenAt);
ready();
