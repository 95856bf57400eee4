// Node's own HTTP server in TypeScript, for tsx and ts-node.
import { createServer } from "node:http";

interface Seen {
  readonly ip: string | undefined;
  readonly pid: number;
}

createServer((request, response) => {
  const url = new URL(request.url ?? "/", "http://localhost");
  response.setHeader("content-type", "application/json");
  if (request.method === "POST") request.pipe(response);
  else if (url.pathname === "/seen") response.end(JSON.stringify({ ip: request.socket.remoteAddress, pid: process.pid } satisfies Seen));
  else response.end(JSON.stringify({ hello: url.searchParams.get("n") }));
}).listen(process.env["PORT"]);
