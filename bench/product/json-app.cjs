/** The smallest server that people have: an answer of JSON. */
const http = require("node:http");

const items = Array.from({ length: 10 }, (_, id) => ({ id, name: `item ${id}`, price: id * 1.5 }));

const server = http.createServer((_request, response) => {
  const body = JSON.stringify({ items, at: Date.now() });
  response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(body) }).end(body);
});
server.listen(Number(process.env.PORT));
process.on("SIGINT", () => server.close(() => process.exit(0)));
