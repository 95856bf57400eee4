/** What is said of a command that was never seen to listen. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { whyNeverListened } from "../../src/daemon/never-listened.ts";

const young = { listeningAtMs: null, availableSinceMs: 0, probed: false, stopping: null };
const late = { ...young, stopping: { signal: "SIGKILL", graceMs: 0, crash: "it did not listen on a port within 60000 ms" } } as const;
const command = { kind: "command", port: 8_000 } as const;

const said = (...of: Parameters<typeof whyNeverListened>) => whyNeverListened(...of)?.text ?? "";

test("never listened: who needs --port, who must read PORT, who must stay in the foreground, who is no script", () => {
  assert.match(said(late, null, { ...command, port: null }), /not Node needs --port/);
  assert.match(said(late, null, command), /where PORT says/);
  assert.match(said(young, 0, command), /into the background/);
  assert.match(said({ ...late, probed: true }, null, { ...command, kind: "script" }), /as a command/);
});

test("never listened: nothing is said of one that served, whose probe met its listener, or that said itself why it ends", () => {
  assert.equal(said({ ...late, probed: true }, null, command), "");
  assert.equal(said({ ...late, availableSinceMs: 1 }, null, command), "");
  assert.equal(said(young, 3, command), "");
  assert.equal(said(young, 0, { ...command, kind: "script" }), "");
});
