/** Express with express-session: each request reads its visitor's session and changes it. */
const { createHmac } = require("node:crypto");
const express = require("express");
const session = require("express-session");

const secret = "bench";
const app = express();
const { REDIS } = process.env;
const store = REDIS === undefined ? undefined : storeInRedis(REDIS);

function storeInRedis(url) {
  const { RedisStore } = require("connect-redis");
  const client = require("redis").createClient({ url });
  client.connect();
  return new RedisStore({ client });
}

/** The load's cookie is its visitor's number; signed, it is one that express-session has given out. */
app.use((request, _response, next) => {
  const visitor = /sid=([^;]*)/.exec(request.headers.cookie ?? "")?.[1]?.replace(/\W/g, "") ?? "none";
  const signature = createHmac("sha256", secret).update(visitor).digest("base64").replace(/=+$/, "");
  request.headers.cookie = `sid=${encodeURIComponent(`s:${visitor}.${signature}`)}`;
  next();
});
app.use(
  session({
    name: "sid",
    secret,
    store,
    resave: false,
    saveUninitialized: true,
    genid: (request) => /sid=s%3A(\w+)/.exec(request.headers.cookie)?.[1] ?? "none",
  }),
);
app.get("/{*path}", (request, response) => {
  request.session.views = (request.session.views ?? 0) + 1;
  response.json({ views: request.session.views });
});
const server = app.listen(Number(process.env.PORT));
process.on("SIGINT", () => server.close(() => process.exit(0)));
