// The shop's pages, as plain template strings.
const safe = (text) => String(text).replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);

export function page(title, body) {
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>${safe(title)} - The Coppice Shop</title>
<nav><a href="/">Shop</a> <a href="/cart">Cart</a> <a href="/account">Account</a></nav>
<h1>${safe(title)}</h1>
${body}
</html>
`;
}

export function catalogue(products) {
  const rows = products.map(
    ({ id, name, price }) =>
      `<li><a href="/products/${id}">${safe(name)}</a>, ${price} €
       <form method="post" action="/cart"><input type="hidden" name="id" value="${id}"><button>Add to cart</button></form></li>`,
  );
  return page("Trees and tools", `<ul>${rows.join("")}</ul>`);
}

export function product({ id, name, price }, recommended) {
  const others = recommended.map((other) => `<li><a href="/products/${other.id}">${safe(other.name)}</a></li>`);
  return page(
    name,
    `<p>${price} €</p><form method="post" action="/cart"><input type="hidden" name="id" value="${id}"><button>Add to cart</button></form><h2>Others looked at</h2><ul>${others.join("")}</ul>`,
  );
}

export function account(name, orders) {
  const rows = orders.map(({ items, total }) => `<li>${items} articles, ${total} €</li>`);
  return page("Account", `<p>${name === undefined ? "Nobody is signed in." : `Hello, ${safe(name)}.`}</p><ul>${rows.join("")}</ul>`);
}
