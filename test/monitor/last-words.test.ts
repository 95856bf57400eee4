/** Why an instance ended, in one line that a person can use. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { initialState } from "../../src/monitor/state.ts";
import { step } from "../../src/monitor/step.ts";
import { simSpec } from "../../src/sim/sim-spec.ts";

const escapeCode = String.fromCharCode(27);

function saidOf(tail: readonly string[], signal: string | null = null): string {
  const started = step(initialState(), { kind: "cluster-started", spec: simSpec(1), nowMs: 0 });
  const { effects } = step(started.state, {
    kind: "instance-exited",
    instance: "web-1.1",
    code: signal === null ? 1 : null,
    signal,
    tail,
    nowMs: 1,
  });
  const [event] = effects.flatMap((effect) => (effect.kind === "event" && effect.event.kind === "instance-exited" ? [effect.event] : []));
  return event?.text ?? assert.fail("no event tells of the exit");
}

test("last words: one that did not end on SIGTERM is said to have been killed", () => {
  let { state } = step(initialState(), { kind: "cluster-started", spec: simSpec(1), nowMs: 0 });
  const [instance] = state.instances;
  assert.ok(instance !== undefined);
  state = { ...state, instances: [{ ...instance, stopping: { signal: "SIGTERM", graceMs: 10_000, crash: null } }] };
  const exit = { kind: "instance-exited", instance: "web-1.1", code: null, tail: [], nowMs: 1 } as const;
  const textOf = (signal: string | null) =>
    step(state, { ...exit, signal }).effects.flatMap((effect) => (effect.kind === "event" ? [effect.event.text] : []))[0];
  assert.equal(textOf("SIGKILL"), "web-1.1 did not end within 10000 ms of SIGTERM and was killed");
  assert.equal(textOf("SIGTERM"), "web-1.1 has ended");
});

test("last words: an error's own line before what follows it, else the last line that says something, without colours", () => {
  assert.equal(
    saidOf(["TypeError: no database", "    at main.js:3", "", "Node.js v24"]),
    "web-1.1 died: it ended with code 1 (TypeError: no database)",
  );
  const compiler = [
    `${escapeCode}[96mtsconfig.json${escapeCode}[0m: error TS5103: invalid`,
    `${escapeCode}[7m ${escapeCode}[0m ${escapeCode}[91m  ~~~~${escapeCode}[0m`,
    "",
  ];
  assert.equal(saidOf(compiler), "web-1.1 died: it ended with code 1 (tsconfig.json: error TS5103: invalid)");
  assert.equal(saidOf([]), "web-1.1 died: it ended with code 1");
});

test("last words: a heap that is full is said, by node itself or behind a shell; who was killed had no last word", () => {
  const full = "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory";
  const tail = ["<--- Last few GCs --->", full, "----- Native stack trace -----", "", " 1: 0x931db0  [/usr/bin/node]"];
  assert.equal(saidOf(tail, "SIGABRT"), `web-1.1 died: ended by SIGABRT (${full})`);
  assert.equal(saidOf(tail), `web-1.1 died: it ended with code 1 (${full})`);
  assert.equal(
    saidOf(["TypeError: seen to"], "SIGKILL"),
    "web-1.1 died: ended by SIGKILL, and not by Coppice: by hand, or by the system for want of memory",
  );
});
