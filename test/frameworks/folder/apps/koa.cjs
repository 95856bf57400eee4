// Koa 3, without middleware of others.
const Koa = require("koa");

const app = new Koa();
app.use(async (ctx) => {
  if (ctx.path === "/seen") ctx.body = { ip: ctx.ip, pid: process.pid };
  else if (ctx.path === "/hello") ctx.body = { hello: ctx.query.n };
  else if (ctx.path === "/echo" && ctx.method === "POST") {
    const chunks = [];
    for await (const chunk of ctx.req) chunks.push(chunk);
    ctx.type = "json";
    ctx.body = Buffer.concat(chunks);
  }
});
app.listen(process.env.PORT);
