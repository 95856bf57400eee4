// "Others looked at": remembers who looked at what, to recommend products.
//
// SHOP_LEAK=1 switches on what makes this file leak, an everyday mistake: views are kept for a report that
// was to empty the list each night, and nobody ever wrote that report.
const recent = [];
const views = [];

export function recordView(request, product) {
  recent.unshift(product);
  recent.length = Math.min(recent.length, 20);
  if (process.env.SHOP_LEAK === "1") {
    views.push({
      product: product.id,
      at: new Date().toISOString(),
      session: request.sessionID,
      headers: { ...request.headers },
      trail: Array.from({ length: 800 }, (_, step) => ({ step, weight: Math.random() })),
    });
  }
}

export function recommend(product) {
  return [...new Set(recent)].filter((other) => other !== product).slice(0, 3);
}
