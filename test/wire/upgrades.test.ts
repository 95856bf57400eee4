/** Which requests may change the protocol of their connection. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { whole } from "../../src/wire/head.ts";
import { RequestHead } from "../../src/wire/request-head.ts";

function upgrades(...offers: readonly string[]): boolean {
  const lines = offers.map((offer) => `Upgrade: ${offer}\r\n`);
  const bytes = Buffer.from(`GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n${lines.join("")}\r\n`);
  const head = new RequestHead();
  assert.equal(head.read(bytes, 0, bytes.length), whole);
  return head.upgrades;
}

test("upgrades: HTTP/2 without TLS is offered to no server, wherever it stands: its requests would pass unread", () => {
  for (const offer of ["websocket", "WebSocket", "foo/1, bar", "h3c"]) assert.equal(upgrades(offer), true, offer);
  for (const offer of ["h2c", "H2C", "h2c-14", "websocket, h2c", "websocket,h2c", "foo ,\tH2c , bar", "h2c, websocket"])
    assert.equal(upgrades(offer), false, offer);
  assert.equal(upgrades("websocket", "h2c"), false);
});
