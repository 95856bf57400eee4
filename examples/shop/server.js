// The Coppice Shop: an ordinary Express application, with sessions in the default store.
//
//   node server.js            then open http://localhost:3000
//   SHOP_LEAK=1 node server.js     with a memory leak (analytics.js)
import express from "express";
import session from "express-session";
import { recommend, recordView } from "./analytics.js";
import { findProduct, products } from "./catalogue.js";
import * as views from "./views.js";

const app = express();

app.use(session({ secret: process.env.SESSION_SECRET ?? "in the greenwood", resave: false, saveUninitialized: false }));
app.use(express.urlencoded({ extended: false }));
app.use(express.json());

app.get("/", (_request, response) => {
  response.send(views.catalogue(products));
});

app.get("/products/:id", (request, response) => {
  const product = findProduct(request.params.id);
  if (product === undefined) return response.status(404).send(views.page("Not found", "<p>We do not sell that.</p>"));
  recordView(request, product);
  response.send(views.product(product, recommend(product)));
});

app.get("/cart", (request, response) => {
  const items = request.session.cart ?? [];
  response.format({
    json: () => response.json({ items, total: total(items) }),
    html: () =>
      response.send(
        views.page("Cart", `<ol>${items.map((id) => `<li>${findProduct(id).name}</li>`).join("")}</ol><p>${total(items)} €</p>`),
      ),
  });
});

app.post("/cart", (request, response) => {
  const product = findProduct(request.body?.id);
  if (product === undefined) return response.status(400).json({ error: "no such product" });
  request.session.cart = [...(request.session.cart ?? []), product.id];
  response.format({
    json: () => response.status(201).json({ count: request.session.cart.length }),
    html: () => response.redirect(303, "/cart"),
  });
});

app.post("/checkout", (request, response) => {
  const items = request.session.cart ?? [];
  if (items.length === 0) return response.status(409).json({ error: "the cart is empty" });
  request.session.orders = [...(request.session.orders ?? []), { items: items.length, total: total(items) }];
  request.session.cart = [];
  response.status(201).json({ orders: request.session.orders.length });
});

app.post("/login", (request, response) => {
  request.session.name = String(request.body?.name ?? "guest");
  response.json({ name: request.session.name });
});

app.get("/account", (request, response) => {
  const { name, orders = [] } = request.session;
  response.format({
    json: () => response.json({ name: name ?? null, orders }),
    html: () => response.send(views.account(name, orders)),
  });
});

function total(items) {
  return items.reduce((sum, id) => sum + findProduct(id).price, 0);
}

const port = Number(process.env.PORT ?? 3000);
app.listen(port, () => console.log(`The shop is open on http://localhost:${port}`));
