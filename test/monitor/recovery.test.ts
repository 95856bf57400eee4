/** The monitor was away while somebody's birth and end went by. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { initialState } from "../../src/monitor/state.ts";
import { step } from "../../src/monitor/step.ts";
import { simSpec } from "../../src/sim/sim-spec.ts";

test("recovery: an instance that was to end before anybody heard that it had begun, and is not there, has ended", () => {
  let state = step(initialState(), { kind: "cluster-started", nowMs: 1, spec: simSpec(1) }).state;
  const wake = () => {
    state = step(state, { kind: "woken", nowMs: state.wakeAtMs ?? assert.fail("nothing is due") }).state;
  };
  while (state.instances.every(({ stopping }) => stopping === null)) wake();
  state = step(state, { kind: "recovered", nowMs: state.nowMs + 1, roster: [] }).state;
  for (let wakes = 0; wakes < 3; wakes += 1) wake();
  assert.deepEqual(
    state.instances.map(({ id, stopping }) => [id, stopping]),
    [["web-1.2", null]],
  );
});

test("recovery: a monitor that ended between giving up and telling init so tells it", () => {
  const reasons = ({ effects }: ReturnType<typeof step>) => effects.flatMap((one) => (one.kind === "give-up" ? [one.reason] : []));
  const started = step(initialState(), { kind: "cluster-started", nowMs: 1, spec: simSpec(1) }).state;
  const died = step(started, {
    kind: "instance-exited",
    nowMs: 2,
    instance: "web-1.1",
    code: 1,
    signal: null,
    tail: ["Error: no database"],
  });
  const [reason] = reasons(died);
  assert.match(reason ?? "", /server.js cannot be started: .*no database/);
  assert.deepEqual(reasons(step(died.state, { kind: "recovered", nowMs: 3, roster: [] })), [reason]);
});
