// A Fastify plugin, for `fastify start`.
// biome-ignore lint/style/noDefaultExport: fastify-cli asks for it
export default async function plugin(app, _options) {
  app.get("/seen", async (request) => ({ ip: request.ip, pid: process.pid }));
  app.get("/hello", async (request) => ({ hello: request.query.n }));
  app.post("/echo", async (request) => request.body);
}
