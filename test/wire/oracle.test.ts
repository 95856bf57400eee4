/**
 * The oracle: whatever we accept, Node's own parser (llhttp, strict) reads as the same messages with the
 * same bodies. What we refuse needs nobody's consent. And however the bytes are cut, we read the same.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Message, type Reading, readAnswers, readByNode, readRequests } from "./framing.ts";
import { answers, asked, cuts, requests } from "./messages.ts";

const runs = Number(process.env["FUZZ_RUNS"] ?? 4_000);

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

test("requests at every single byte: cut there, or all of them, a valid stream reads the same", () => {
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

test("answers at every single byte: cut there, or all of them, they read the same", () => {
  const bytes = Buffer.from(
    "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 200\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\n\r\n3;ext=1\r\nabc\r\nA\r\n0123456789\r\n0\r\nX-Sum: 7\r\n\r\nHTTP/1.0 404 Gone\r\n\r\nto the end",
  );
  const whole = readAnswers(bytes);
  assert.deepEqual(
    whole.messages.map(({ line, body, complete }) => [line, body, complete]),
    [
      ["103", "", true],
      ["200", "abc", true],
      ["200", "abc0123456789", true],
      ["404", "to the end", true],
    ],
  );
  const everywhere = Array.from(bytes, (_, at) => at);
  for (const cut of [...everywhere.map((at) => [at]), everywhere]) assert.deepEqual(readAnswers(bytes, {}, cut), whole, `cut at ${cut}`);
});
