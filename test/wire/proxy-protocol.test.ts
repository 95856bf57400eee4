/** PROXY protocol headers, both versions: read at any split, as Node's own address parser would read them, else refused. */
import assert from "node:assert/strict";
import { isIP, SocketAddress } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import { readProxyHeader } from "../../src/wire/proxy-protocol.ts";

const signature = Buffer.from("0d0a0d0a000d0a515549540a", "hex");
/** By its specification a line of version 1 is no longer; an IPv6 address that is written with all zeros and an IPv4 end makes it so. */
const lineBytesMax = 107;
const port = fc.integer({ min: 0, max: 65_535 });

function version1(source: string, sourcePort: number): Buffer {
  return Buffer.from(`PROXY ${isIP(source) === 4 ? "TCP4" : "TCP6"} ${source} ${source} ${sourcePort} 443\r\n`);
}

/** An independent writer: Node's URL parser puts the address into its groups. */
function version2(source: string, sourcePort: number, more: Uint8Array = new Uint8Array(), command = 1): Buffer {
  const four = isIP(source) === 4;
  const address = four ? Buffer.from(source.split(".").map(Number)) : groupsOf(source);
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(sourcePort, 0);
  const body = Buffer.concat([address, address, ports, more]);
  const head = Buffer.from([0x20 | command, four ? 0x11 : 0x21, body.length >> 8, body.length & 0xff]);
  return Buffer.concat([signature, head, body]);
}

function groupsOf(address: string): Buffer {
  const canonical = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  const [left = "", right] = canonical.split("::");
  const before = left === "" ? [] : left.split(":");
  const after = right === undefined || right === "" ? [] : right.split(":");
  const zeros = Array.from({ length: right === undefined ? 0 : 8 - before.length - after.length }, () => "0");
  return Buffer.from([...before, ...zeros, ...after].map((group) => group.padStart(4, "0")).join(""), "hex");
}

const same = (address: string) => new SocketAddress({ address, family: isIP(address) === 4 ? "ipv4" : "ipv6" }).address;

test("proxy protocol: both versions are read at any split, and what follows is left alone", () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.ipV4(), fc.ipV6()),
      port,
      fc.constantFrom(1, 2),
      fc.uint8Array({ maxLength: 40 }),
      (address, sourcePort, version, rest) => {
        const header = version === 1 ? version1(address, sourcePort) : version2(address, sourcePort, rest);
        if (version === 1 && header.length > lineBytesMax) return assert.equal(readProxyHeader(header), "malformed");
        for (let length = 0; length < header.length; length += 1)
          assert.equal(readProxyHeader(header.subarray(0, length)), "incomplete", `${length} of ${header.length} bytes`);
        const read = readProxyHeader(Buffer.concat([header, Buffer.from("GET / HTTP/1.1\r\n")]));
        assert.ok(typeof read === "object" && read.client !== null);
        assert.equal(read.length, header.length);
        assert.equal(read.client.port, sourcePort);
        assert.equal(same(read.client.address), same(address));
      },
    ),
  );
});

test("proxy protocol: a balancer that speaks for itself leaves the connection's own address", () => {
  for (const header of [
    Buffer.from("PROXY UNKNOWN\r\n"),
    Buffer.from("PROXY UNKNOWN ffff:f::1 ::1 1 2\r\n"),
    version2("1.2.3.4", 5, new Uint8Array(), 0),
    Buffer.concat([signature, Buffer.from([0x20, 0x00, 0, 0])]),
    Buffer.concat([signature, Buffer.from([0x20, 0xff, 0, 2, 1, 2])]),
    Buffer.concat([signature, Buffer.from([0x21, 0x00, 0, 3, 1, 2, 3])]),
  ])
    assert.deepEqual(readProxyHeader(header), { client: null, length: header.length });
});

test("proxy protocol: an IPv4 client of a balancer's IPv6 socket is written as Node writes it", () => {
  for (const address of ["::ffff:203.0.113.9", "::ffff:0.0.0.0"]) {
    const header = version2(address, 4711);
    assert.deepEqual(readProxyHeader(header), { client: { address, port: 4711 }, length: header.length });
  }
  for (const address of ["::fffe:102:304", "1::ffff:102:304"]) {
    const header = version2(address, 4711);
    assert.deepEqual(readProxyHeader(header), { client: { address, port: 4711 }, length: header.length });
  }
});

test("proxy protocol: what is not exactly a header is malformed", () => {
  const wrong = [
    "GET / HTTP/1.1\r\n",
    "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n",
    "PROXY TCP4 1.2.3.4 1.2.3.4 1 \r\n",
    "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n",
    "PROXY TCP4 1.2.3.4  1.2.3.4 1 2\r\n",
    "PROXY TCP4 1.2.3.256 1.2.3.4 1 2\r\n",
    "PROXY TCP4 01.2.3.4 1.2.3.4 1 2\r\n",
    "PROXY TCP4 ::1 ::1 1 2\r\n",
    "PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n",
    "PROXY TCP6 1::2::3 ::1 1 2\r\n",
    "PROXY TCP6 12345::1 ::1 1 2\r\n",
    "PROXY TCP6 1:2:3:4:5:6:7 ::1 1 2\r\n",
    "PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n",
    "PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n",
    "PROXY tcp4 1.2.3.4 1.2.3.4 1 2\r\n",
    `PROXY UNKNOWN ${"x".repeat(100)}\r\n`,
    "x".repeat(200),
  ].map((text) => Buffer.from(text));
  const head = (...bytes: number[]) => Buffer.concat([signature, Buffer.from(bytes), Buffer.alloc(40)]);
  wrong.push(head(0x11, 0x11, 0, 12), head(0x22, 0x11, 0, 12), head(0x21, 0x41, 0, 12), head(0x21, 0x13, 0, 12));
  wrong.push(head(0x21, 0x11, 0, 11), head(0x21, 0x21, 0, 35), head(0x21, 0x11, 0xff, 0xff));
  for (const bytes of wrong) assert.equal(readProxyHeader(bytes), "malformed", bytes.toString("latin1"));
});

test("proxy protocol: no bytes at all make it fail otherwise", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 300 }),
        fc.uint8Array().map((tail) => Buffer.concat([signature, tail])),
      ),
      (bytes) => {
        const read = readProxyHeader(bytes);
        assert.ok(read === "incomplete" || read === "malformed" || read.length <= bytes.length);
      },
    ),
  );
});
