/** When a process of Coppice's own hangs, and when it only has no turn. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { Pulse } from "../../src/init/pulse.ts";
import { processorMsOf, wantsProcessor } from "../../src/link/process-stat.ts";

const askMs = 3_000;

/** A process that never answers again; what it has of the processor between two asks, and whether it wants more. */
function silentAfter(context: TestContext, processor: { msAnAsk: number | null; wanted: boolean }, asks: number): number[] {
  context.mock.timers.enable({ apis: ["setInterval"] });
  const hung: number[] = [];
  let usedMs = 700;
  const pulse = new Pulse({
    ask: () => {},
    processorMs: () => (processor.msAnAsk === null ? null : usedMs),
    wantsProcessor: () => processor.wanted,
    onHang: (silentMs) => hung.push(silentMs),
  });
  pulse.answered();
  for (let ask = 0; ask < asks; ask += 1) {
    context.mock.timers.tick(askMs);
    usedMs += processor.msAnAsk ?? 0;
  }
  pulse.stop();
  return hung;
}

test("a process that wants nothing and is silent hangs: five asks, and the sixth ends it", (context) => {
  assert.deepEqual(silentAfter(context, { msAnAsk: 0, wanted: false }, 5), []);
  context.mock.timers.reset();
  assert.deepEqual(silentAfter(context, { msAnAsk: 0, wanted: false }, 9), [15_000]);
});

test("one whose loop spins hangs as soon, though it wants the processor", (context) => {
  assert.deepEqual(silentAfter(context, { msAnAsk: askMs, wanted: true }, 9), [15_000]);
});

test("one that wants the processor and does not get it does not hang, until it had enough of it", (context) => {
  assert.deepEqual(silentAfter(context, { msAnAsk: 100, wanted: true }, 40), []);
  context.mock.timers.reset();
  assert.deepEqual(silentAfter(context, { msAnAsk: 100, wanted: true }, 80), [51 * askMs - askMs]);
});

test("where nobody knows what it had, silence is enough", (context) => {
  assert.deepEqual(silentAfter(context, { msAnAsk: null, wanted: true }, 9), [15_000]);
});

test("what the kernel says: one that sleeps or is stopped wants nothing, one that spins has and wants more", {
  timeout: 180_000,
}, async (context) => {
  const child = spawn(process.execPath, ["-e", "process.stdin.once('data', () => { process.stdout.write('spins'); for (;;); })"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  context.after(() => child.kill("SIGKILL"));
  const pid = child.pid ?? assert.fail();
  child.stdin.write("go\n");
  await once(child.stdout, "data");
  const beforeMs = processorMsOf(pid) ?? assert.fail();
  while ((processorMsOf(pid) ?? assert.fail()) < beforeMs + 50);
  assert.equal(wantsProcessor(pid), true);
  child.kill("SIGSTOP");
  while (wantsProcessor(pid));
  child.kill("SIGKILL");
  await once(child, "exit");
  assert.deepEqual([processorMsOf(pid), wantsProcessor(pid)], [null, false]);
});
