// No proxy: node:cluster with two workers that answer themselves. What a hop costs is seen against it.
import cluster from "node:cluster";
import { createServer } from "node:http";
import { listenAt, ready } from "./arguments.js";

if (cluster.isPrimary) {
  let listening = 0;
  for (let worker = 0; worker < 2; worker += 1) cluster.fork().on("listening", () => (++listening === 2 ? ready() : undefined));
} else {
  createServer((request, response) => {
    const size = Number(request.url.slice(1));
    request.resume();
    response.writeHead(200, { "content-type": "text/plain; charset=utf-8", "content-length": size });
    response.end("x".repeat(size));
  }).listen(listenAt);
}
