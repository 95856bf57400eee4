/** The corpus: each message gets the verdict that stands beside it, and what is accepted Node's parser reads the same. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { answerCases, requestCases } from "./corpus.ts";
import { type Reading, readAnswers, readByNode, readRequests } from "./framing.ts";

const lines = ({ messages }: Reading) => messages.map(({ line, body, complete }) => [line, body, complete]);

test("corpus: at least 300 messages, none twice", () => {
  const all = [...requestCases, ...answerCases].map(([, bytes]) => bytes);
  assert.ok(all.length >= 300, `${all.length}`);
  assert.equal(new Set(all).size, all.length);
});

const kinds = [
  { of: "requests", cases: requestCases, read: readRequests, ended: false },
  { of: "answers", cases: answerCases, read: readAnswers, ended: true },
] as const;

for (const { of, cases, read, ended } of kinds) {
  test(`corpus: ${of}`, () => {
    for (const [verdict, text] of cases) {
      const bytes = Buffer.from(text, "latin1");
      const reading = read(bytes);
      const shown = JSON.stringify(text.slice(0, 200));
      if (verdict !== "accepted") {
        assert.equal(reading.refused, verdict, shown);
        continue;
      }
      assert.equal(reading.refused, null, shown);
      assert.ok(reading.messages.length > 0 && reading.messages.every(({ complete }) => complete), shown);
      assert.deepEqual(lines(readByNode(bytes, of, { ended })), lines(reading), shown);
    }
  });
}
