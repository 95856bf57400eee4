// Express, 5 or 4 (EXPRESS=express4), with sessions in the default store: a shopping list.
const express = require(process.env.EXPRESS ?? "express");
const session = require("express-session");

const app = express();
app.use(session({ secret: "in the greenwood", resave: false, saveUninitialized: false }));
app.use(express.json());
app.post("/items", (req, res) => {
  req.session.items ??= [];
  req.session.items.push(req.body.item);
  res.json({ count: req.session.items.length });
});
app.get("/items", (req, res) => res.json({ items: req.session.items ?? [] }));
app.get("/seen", (req, res) =>
  res.json({ ip: req.ip, pid: process.pid, node: process.version, options: process.env.NODE_OPTIONS ?? null }),
);
app.listen(process.env.PORT);
