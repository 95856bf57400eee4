/**
 * The oracle: whatever we accept, Node's own parser (llhttp, strict) reads as the same messages with the
 * same bodies. What we refuse needs nobody's consent. And however the bytes are cut, we read the same.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type AskedFor, type Message, type Reading, readAnswers, readByNode, readRequests } from "./framing.ts";

const runs = Number(process.env["FUZZ_RUNS"] ?? 4_000);

/** Good ones mostly: a message with many faults is refused at the first. */
function mostly(good: readonly string[], evil: readonly string[], weight = 15): fc.Arbitrary<string> {
  return fc.oneof({ weight, arbitrary: fc.constantFrom(...good) }, { weight: 1, arbitrary: fc.constantFrom(...evil) });
}

const goodLine = fc.oneof(
  fc.constantFrom(
    "Content-Length: 3",
    "Content-Length: 0",
    "content-length:\t5 ",
    "Transfer-Encoding: chunked",
    "transfer-encoding:CHUNKED",
  ),
  fc.constantFrom(
    "Connection: close",
    "Connection: keep-alive",
    "connection: Upgrade",
    "Connection: X-A, keep-alive",
    "Connection: Content-Length",
    "Upgrade: websocket",
    "Upgrade: h2c",
  ),
  fc.constantFrom(
    "X-A: 1",
    "x:",
    "Expect: 100-continue",
    "TE: trailers",
    "Trailer: X-T",
    "Keep-Alive: timeout=5",
    "Content-Type: text/event-stream",
    "Cookie: a=b; sid=1",
    "X-B: \u00e9\t!",
  ),
);
const name = fc.constantFrom(
  "Host",
  "HOST",
  "Content-Length",
  "Content_Length",
  "Transfer-Encoding",
  "Transfer_Encoding",
  "Connection",
  "Upgrade",
  "X-A",
  "",
);
const value = fc.constantFrom(
  "x",
  "shop.example:80",
  "a b",
  "x/y",
  "u@x",
  "0",
  "3",
  "05",
  "+5",
  "-1",
  "0x5",
  "5,5",
  "5 5",
  "1e1",
  "99999999999999999999",
  "chunked",
  "gzip",
  "gzip, chunked",
  "chunked, chunked",
  "chunked;q=1",
  "identity",
  "xchunked",
  "\u000bchunked",
  "Upgrade",
  "",
  " ",
  "\u0000",
  "\u007f",
);
const separator = mostly([": ", ":", ":\t"], [" : ", "", ":\r\n ", "\t:"], 3);
const ending = mostly(["\r\n"], ["\n", "\r", "\r\r\n", "\r\n ", "\n\r\n"], 3);
const evilLine = fc.tuple(name, separator, value, ending).map((parts) => parts.join(""));
const lines = fc
  .array(fc.oneof({ weight: 12, arbitrary: goodLine.map((line) => `${line}\r\n`) }, { weight: 1, arbitrary: evilLine }), { maxLength: 3 })
  .map((all) => all.join(""));
const chunk = mostly(
  ["3\r\nabc\r\n", "a\r\n0123456789\r\n", "A;x=y\r\n0123456789\r\n", "003\r\nabc\r\n"],
  [
    "3 \r\nabc\r\n",
    " 3\r\nabc\r\n",
    "3\nabc\r\n",
    "3\r\nabc\n",
    "3\r\nabcd\r\n",
    "0x3\r\nabc\r\n",
    "3;\r\nabc\r\n",
    '3;x="y\r\nabc\r\n',
    "3;a\nb\r\nabc\r\n",
    "g\r\n",
    "-3\r\nabc\r\n",
    "ffffffffffffffff\r\n",
    "3\r\r\nabc\r\n",
    "",
    "3;a\rb\r\nabc\r\n",
  ],
  4,
);
const lastChunk = mostly(
  ["0\r\n\r\n", "00\r\n\r\n", "0\r\nX-T: 1\r\n\r\n", "0\r\nX-T:\r\nY: \u00e9\r\n\r\n"],
  [
    "0\r\nContent-Length: 3\r\n\r\n",
    "0\r\nX-T : 1\r\n\r\n",
    "0\r\n\n",
    "0\n\n",
    "0\r\n X: 1\r\n\r\n",
    "0;x\r\n\r\n",
    "0\r\nX:\u0000\r\n\r\n",
    "",
    "0\r\n",
    "0\r\n: x\r\n\r\n",
  ],
  4,
);
const chunks = fc.tuple(fc.array(chunk, { maxLength: 3 }), lastChunk).map(([some, last]) => some.join("") + last);
const chunkedBody = chunks.map((body) => `Transfer-Encoding: chunked\r\n\r\n${body}`);
const rest = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom("Content-Length: 3\r\n\r\nabc", "Content-Length: 0\r\n\r\n", "\r\n") },
  { weight: 4, arbitrary: chunkedBody },
  {
    weight: 1,
    arbitrary: fc
      .tuple(mostly(["\r\n"], ["\n", "\r", ""]), fc.constantFrom("", "abc", "abcde", "0\r\n\r\n"))
      .map((parts) => parts.join("")),
  },
);
const byteChange = fc.record({ at: fc.nat(), byte: fc.nat(255), how: fc.constantFrom("set", "insert", "delete") });

/** A few messages in a row, then a few bytes changed. */
function stream(first: fc.Arbitrary<string>): fc.Arbitrary<Buffer> {
  const message = fc.tuple(first, lines, rest).map((parts) => parts.join(""));
  return fc
    .tuple(
      fc.array(message, { minLength: 1, maxLength: 3 }),
      fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: fc.array(byteChange, { maxLength: 3 }) }),
    )
    .map(([messages, changes]) => {
      const bytes = [...Buffer.from(messages.join(""), "latin1")];
      for (const { at, byte, how } of changes) {
        const place = at % (bytes.length + 1);
        if (how === "delete") bytes.splice(place, 1);
        else bytes.splice(place, how === "set" ? 1 : 0, byte);
      }
      return Buffer.from(bytes);
    });
}

const requests = stream(
  fc
    .tuple(
      mostly([""], ["\r\n", "\n", "\r\n\r\n"]),
      mostly(["GET", "POST", "HEAD", "OPTIONS", "PUT", "M-SEARCH", "QUERY"], ["CONNECT", "get", "FOO", "G\u00e4T", ""]),
      mostly([" "], ["  ", "\t"]),
      mostly(
        ["/", "/a?b=c", "//x", "/%0d%0a"],
        ["*", "http://x/", "http://shop.example:80/", "https://evil/", "x:80", "/a#b", "/\u00e9", "/a b", ""],
        6,
      ),
      mostly([" "], ["  ", "\t", ""]),
      mostly(
        ["HTTP/1.1"],
        ["HTTP/1.0", "HTTP/2.0", "http/1.1", "HTTP/1.10", "HTTP/1.1 ", "HTTP/01.1", "HTTP/1.2", "ICE/1.1", "RTSP/1.0", ""],
        6,
      ),
      mostly(["\r\nHost: x\r\n", "\r\nHost:\r\n"], ["\n", "\r", "\r\n", "\r\nHost : x\r\n", "\r\nHost: x\r\nHost: x\r\n"]),
    )
    .map((parts) => parts.join("")),
);

const answers = stream(
  fc
    .tuple(
      mostly(["HTTP/1.1"], ["HTTP/1.0", "HTTP/2.0", "http/1.1", "HTTP/1.2", "HTTP/1.1\t", "ICY"]),
      mostly([" "], ["  ", ""]),
      mostly(["200", "204", "304", "100", "103", "101", "404", "500", "999"], ["99", "2000", "20", "-200", "+200", "2 0", "099"]),
      mostly([" OK", " ", " a\tb"], ["", " \u00e9", " a\u0000b", "\tOK"]),
      mostly(["\r\n"], ["\n", "\r", "\r\n "]),
    )
    .map((parts) => parts.join("")),
);
const asked: fc.Arbitrary<AskedFor> = fc.record({
  method: fc.constantFrom("GET", "GET", "GET", "HEAD", "POST"),
  upgrade: fc.boolean(),
  ended: fc.constant(true),
});
const cuts = fc.array(fc.nat(400), { maxLength: 12 });

const shown = (bytes: Buffer) => JSON.stringify(bytes.toString("latin1"));
const framesOf = ({ messages }: Reading) =>
  messages.filter(({ complete }) => complete).map(({ line: first, fields, body: content }: Message) => ({ first, fields, content }));

/** The complete messages that we read are the first ones that Node reads. */
function agrees(bytes: Buffer, ours: Reading, byNode: Reading): void {
  const complete = framesOf(ours);
  assert.deepEqual(complete, framesOf(byNode).slice(0, complete.length), shown(bytes));
  // One that has begun, and that we have not refused, has begun for Node too, and has not ended.
  const open = ours.messages.find(({ complete: whole }) => !whole);
  if (open === undefined || ours.refused !== null) return;
  const there = byNode.messages[complete.length];
  assert.deepEqual([there?.line, there?.fields, there?.complete], [open.line, open.fields, false], shown(bytes));
}

const asksUpgrade = ({ messages }: Reading) => messages.some(({ fields }) => fields.some((field) => /^connection:.*upgrade/i.test(field)));

/** What goes on to the other side has the same messages, fields of one connection left out. */
function forwardsTheSame(ours: Reading, byNode: Reading): void {
  const frames = (reading: Reading) => framesOf(reading).map(({ first, content }) => ({ first, content }));
  const complete = frames(ours);
  assert.deepEqual(frames(byNode).slice(0, complete.length), complete, shown(ours.forwarded ?? Buffer.alloc(0)));
  const fields = framesOf(byNode).flatMap((message) => message.fields);
  for (const field of fields) assert.doesNotMatch(field, /^(te|keep-alive|x.coppice.*|http2-settings):/);
  assert.equal(byNode.messages.length <= ours.messages.length, true, "a message more than was read");
}

test("requests: whatever we accept, Node's parser frames the same, and cuts change nothing", () => {
  let accepted = 0;
  fc.assert(
    fc.property(requests, cuts, (bytes, at) => {
      const ours = readRequests(bytes);
      // Who asks for an upgrade that it cannot have is served as if it had not asked; Node's parser stops there.
      if (!asksUpgrade(ours)) agrees(bytes, ours, readByNode(bytes, "requests"));
      forwardsTheSame(ours, readByNode(ours.forwarded ?? bytes, "requests"));
      assert.deepEqual(readRequests(bytes, at), ours, shown(bytes));
      accepted += framesOf(ours).length;
    }),
    { numRuns: runs },
  );
  assert.ok(accepted > runs / 5, `only ${accepted} messages were accepted: nothing was compared`);
});

test("answers: whatever we accept, Node's parser frames the same, and cuts change nothing", () => {
  let accepted = 0;
  fc.assert(
    fc.property(answers, asked, cuts, (bytes, askedFor, at) => {
      const ours = readAnswers(bytes, askedFor);
      agrees(bytes, ours, readByNode(bytes, "answers", askedFor));
      forwardsTheSame(ours, readByNode(ours.forwarded ?? bytes, "answers", askedFor));
      assert.deepEqual(readAnswers(bytes, askedFor, at), ours, shown(bytes));
      accepted += framesOf(ours).length;
    }),
    { numRuns: runs },
  );
  assert.ok(accepted > runs / 5, `only ${accepted} messages were accepted: nothing was compared`);
});

test("at every single byte: cut there, or all of them, a valid stream reads the same", () => {
  const bytes = Buffer.from(
    "\r\nPOST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcPUT /b HTTP/1.1\r\nHost: y\r\nTransfer-Encoding: chunked\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\r\n3;ext=1\r\nabc\r\nA\r\n0123456789\r\n0\r\nX-Sum: 7\r\n\r\nGET /c HTTP/1.1\r\nHost: z\r\n\r\n",
  );
  const whole = readRequests(bytes);
  assert.deepEqual(
    whole.messages.map(({ line: first, body: content, complete }) => [first, content, complete]),
    [
      ["POST /a", "abc", true],
      ["PUT /b", "abc0123456789", true],
      ["GET /c", "", true],
    ],
  );
  for (let at = 1; at < bytes.length; at += 1) assert.deepEqual(readRequests(bytes, [at]), whole, `cut at ${at}`);
  assert.deepEqual(
    readRequests(
      bytes,
      Array.from(bytes, (_, at) => at),
    ),
    whole,
    "cut everywhere",
  );
});
