/** Addresses and networks as text, with Node's own reading of them as oracle: what a setting lets pass, a forwarder must take. */
import assert from "node:assert/strict";
import { isIPv4 as isIPv4ToNode, isIPv6 as isIPv6ToNode } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import { TrustedProxies } from "../../src/forwarder/trusted-proxies.ts";
import { isIPv4, isIPv6, isNetwork } from "../../src/model/addresses.ts";

const part = fc.constantFrom("0", "1", "10", "010", "255", "256", "999", "db8", "ffff", "12345", "g", "", ":", "::", ".", "%eth0", " ");
const joined = (separator: string, maxLength: number) => fc.array(part, { minLength: 1, maxLength }).map((parts) => parts.join(separator));
const text = fc.oneof(
  joined(".", 5),
  joined(":", 9),
  fc.tuple(joined(":", 7), joined(".", 4)).map(([groups, last]) => `${groups}:${last}`),
  fc.ipV4(),
  fc.ipV6(),
);

test("addresses: as Node reads them, but for a zone", () => {
  fc.assert(
    fc.property(text, (address) => {
      assert.equal(isIPv4(address), isIPv4ToNode(address), address);
      assert.equal(isIPv6(address), isIPv6ToNode(address) && !address.includes("%"), address);
    }),
    { numRuns: 3_000 },
  );
});

test("networks: whatever passes, a list of proxies takes", () => {
  const prefix = fc.constantFrom("", "/0", "/8", "/32", "/33", "/128", "/129", "/", "/-1", "/8/8", "/1e1", "/ 8");
  let passed = 0;
  fc.assert(
    fc.property(text, prefix, (address, length) => {
      if (!isNetwork(address + length)) return;
      passed += 1;
      new TrustedProxies([address + length]).trusts("10.0.0.1");
    }),
    { numRuns: 3_000 },
  );
  assert.ok(passed > 300, `${passed}`);
  for (const good of ["10.0.0.0/8", "::/0", "2001:db8::/32", "::1", "::ffff:10.0.0.1/128", "0.0.0.0/0"]) assert.ok(isNetwork(good), good);
  for (const bad of ["300.1.1.1", "1:2:3", "10.0.0.0/33", "::1/129", "10.0.0.0/", "loopback", "", "10.0.0.0/08x"])
    assert.ok(!isNetwork(bad), bad);
});
