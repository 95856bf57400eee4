/** Messages of HTTP/1.1 by chance: good ones mostly, some with a fault in their grammar, some with bytes changed. */
import fc from "fast-check";
import type { AskedFor } from "./framing.ts";

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
  ["3\r\nabc\r\n", "a\r\n0123456789\r\n", "A;x=y\r\n0123456789\r\n", "003\r\nabc\r\n", '3;x="\\"y z";a\r\nabc\r\n'],
  [
    "3 \r\nabc\r\n",
    " 3\r\nabc\r\n",
    "3\nabc\r\n",
    "3\r\nabc\n",
    "3\r\nabcd\r\n",
    "0x3\r\nabc\r\n",
    "3;\r\nabc\r\n",
    '3;x="y\r\nabc\r\n',
    '3;x="y\r\nabc"\r\n',
    '3;x="\\\r\nabc"\r\n',
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

export const requests = stream(
  fc
    .tuple(
      mostly([""], ["\r\n", "\n", "\r\n\r\n", "\r\n\r"]),
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

export const answers = stream(
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
export const asked: fc.Arbitrary<AskedFor> = fc.record({
  method: fc.constantFrom("GET", "GET", "GET", "HEAD", "POST"),
  upgrade: fc.boolean(),
  ended: fc.constant(true),
});
export const cuts = fc.array(fc.nat(400), { maxLength: 12 });
