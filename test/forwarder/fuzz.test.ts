/** Messages by chance over real sockets; see fuzz.ts, which runs longer by hand. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzzAnswers, fuzzRequests } from "./fuzz.ts";

const short = { runs: 4_000, seed: 1 };

test("fuzz: whatever we accept of requests, a real server frames as we do; what we refuse it never sees whole", {
  timeout: 300_000,
}, async () => {
  const compared = await fuzzRequests(short);
  assert.ok(compared > short.runs / 5, `only ${compared} requests were accepted: nothing was compared`);
});

test("fuzz: whatever passes of answers, a client is told as llhttp reads it; all else is a 502, and the next answer is its own", {
  timeout: 300_000,
}, async () => {
  const passed = await fuzzAnswers(short);
  assert.ok(passed > short.runs / 5, `only ${passed} answers passed: nothing was compared`);
});
