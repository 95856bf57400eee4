// Fastify 5 with @fastify/session in its default store, under a cookie name of the application's own.
import cookie from "@fastify/cookie";
import session from "@fastify/session";
import Fastify from "fastify";

const app = Fastify();
await app.register(cookie);
await app.register(session, { secret: "a secret of more than thirty-two letters", cookieName: "greenwood", cookie: { secure: false } });
app.post("/items", async (request) => {
  request.session.items = [...(request.session.items ?? []), request.body.item];
  return { count: request.session.items.length };
});
app.get("/items", async (request) => ({ items: request.session.items ?? [] }));
app.get("/seen", async (request) => ({ ip: request.ip, pid: process.pid }));
await app.listen({ port: Number(process.env.PORT), host: "127.0.0.1" });
