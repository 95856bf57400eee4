// Hono 4 on its Node server.
import { serve } from "@hono/node-server";
import { getConnInfo } from "@hono/node-server/conninfo";
import { Hono } from "hono";

const app = new Hono();
app.get("/seen", (c) => c.json({ ip: getConnInfo(c).remote.address, pid: process.pid }));
app.get("/hello", (c) => c.json({ hello: c.req.query("n") }));
app.post("/echo", async (c) => c.json(await c.req.json()));
serve({ fetch: app.fetch, port: Number(process.env.PORT) });
