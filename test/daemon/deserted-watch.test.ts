/** Whose server is gone while the command that started it is not. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DesertedWatch } from "../../src/daemon/deserted-watch.ts";

/** Above the kernel's highest: no process has it. */
const gonePid = 2 ** 22 + 1;
const commandPid = gonePid + 1;

test("deserted watch: a server that is gone is told at each tick while its command goes on, and nobody else is", () => {
  const started = new Map<string, number | null>([
    ["web-1.1", commandPid],
    ["web-2.1", gonePid], // init started it itself
    ["web-3.1", commandPid],
    ["web-5.1", commandPid],
  ]);
  const told: string[] = [];
  const watch = new DesertedWatch({ startedPid: (instance) => started.get(instance), onDeserted: (instance) => told.push(instance) });
  for (const instance of ["web-1.1", "web-2.1", "web-3.1", "web-4.1"]) watch.left(instance, gonePid);
  watch.left("web-5.1", process.pid); // it lives, only its link went
  for (let tick = 0; tick < 2; tick += 1) watch.tick();
  assert.deepEqual(told, ["web-1.1", "web-3.1"], "of web-4.1 init had said before that it has ended");
  watch.forget("web-1.1");
  watch.tick();
  assert.deepEqual(told, ["web-1.1", "web-3.1", "web-3.1"]);
});
