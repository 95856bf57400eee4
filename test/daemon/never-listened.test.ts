/** What is said of a command that was never seen to listen. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { whyNeverListened } from "../../src/daemon/never-listened.ts";

const young = { askedAtMs: 1_000, listeningAtMs: null, availableSinceMs: 0, probed: false, stopping: null };
const late = { ...young, stopping: { signal: "SIGKILL", graceMs: 0, crash: "it did not listen on a port within 60000 ms" } } as const;
const command = { kind: "command", port: 8_000 } as const;
const killed = { code: null, nowMs: 61_000 };
const done = { code: 0, nowMs: 2_000 };

const said = (...of: Parameters<typeof whyNeverListened>) => whyNeverListened(...of)?.text ?? "";

test("never listened: who needs --port, who must read PORT, who must stay in the foreground, who is no script", () => {
  assert.match(said(late, killed, { ...command, port: null }), /not Node needs --port/);
  assert.match(said(late, killed, command), /where PORT says/);
  assert.match(said(young, done, command), /into the background/);
  assert.match(
    said({ ...young, listeningAtMs: 1_500, availableSinceMs: 1_500 }, done, command),
    /into the background/,
    "it was seen for a moment",
  );
  assert.match(said({ ...late, probed: true }, killed, { ...command, kind: "script" }), /as a command/);
});

test("never listened: nothing is said of one that served, whose probe met its listener, or that said itself why it ends", () => {
  assert.equal(said({ ...late, probed: true }, killed, command), "");
  assert.equal(said({ ...late, availableSinceMs: 1 }, killed, command), "");
  assert.equal(said(young, { ...done, code: 3 }, command), "");
  assert.equal(said(young, { ...done, nowMs: 100_000 }, command), "");
  assert.equal(said(young, done, { ...command, kind: "script" }), "");
});
