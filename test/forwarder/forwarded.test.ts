/** What proxies in front said one way, said the other way. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { elementOf, elementsOf, saidIn } from "../../src/forwarder/forwarded.ts";

const nothing = { addresses: null, proto: null, host: null };

test("forwarded: the X-Forwarded-* as elements, scheme and host at the client's", () => {
  assert.equal(elementsOf(nothing), null);
  assert.equal(elementsOf({ ...nothing, addresses: "192.0.2.1 ,, 192.0.2.2:81" }), 'for=192.0.2.1, for="192.0.2.2:81"');
  assert.equal(
    elementsOf({ addresses: "2001:db8::1", proto: "https, http", host: "shop:81, x" }),
    'for="[2001:db8::1]";proto=https;host="shop:81"',
  );
  assert.equal(elementsOf({ ...nothing, addresses: "[2001:db8::1]:9, [::1]" }), 'for="[2001:db8::1]:9", for="[::1]"');
  assert.equal(
    elementsOf({ ...nothing, addresses: "_hidden, unknown, a b, 1.2.3, x:1" }),
    "for=_hidden, for=unknown, for=unknown, for=unknown, for=unknown",
  );
  assert.equal(elementsOf({ ...nothing, proto: "https" }), "for=unknown;proto=https");
});

test("forwarded: nothing that is said ends a quotation", () => {
  for (const host of ['a"', "a\\", '";for=6.6.6.6;x="']) assert.equal(elementOf("::1", "http;for=6.6.6.6", host), 'for="[::1]"', host);
});

test("forwarded: elements as the X-Forwarded-*, without ports", () => {
  assert.deepEqual(saidIn(""), nothing);
  assert.deepEqual(saidIn("by=_x;secret=1"), nothing);
  assert.deepEqual(saidIn('For="[2001:db8:cafe::17]:4711"'), { ...nothing, addresses: "2001:db8:cafe::17" });
  assert.deepEqual(saidIn('for=192.0.2.43, for="198.51.100.17:80";by=203.0.113.60;proto=http'), {
    ...nothing,
    addresses: "192.0.2.43, 198.51.100.17",
  });
  assert.deepEqual(saidIn('for=_SEVKISEK; proto=https ;host="a\\"b;,c", for=unknown;host=x'), {
    addresses: "_SEVKISEK, unknown",
    proto: "https",
    host: 'a"b;,c',
  });
  assert.deepEqual(saidIn('for="192.0.2.1'), nothing, "a quotation without an end is none");
});
