/** Who gets a request, seen from outside: one that fails again and again is set aside, a regrown one gets its share slowly. */
import assert from "node:assert/strict";
import { Agent, get, type ServerResponse } from "node:http";
import { listener, type Stage, withStage } from "./stage.ts";

function statusOf(stage: Stage, agent: Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    get({ port: stage.port, agent }, (answer) => answer.resume().on("end", () => resolve(answer.statusCode ?? 0))).on("error", reject);
  });
}

withStage("a node that fails three times in a row is set aside, twice as long each time; its first answer ends that", {}, async (stage) => {
  const agent = new Agent({ keepAlive: true });
  const metAtMs: number[] = [];
  let well = false;
  await stage.rawInstance("ill.1", (socket) =>
    socket.on("data", () => {
      metAtMs.push(performance.now());
      if (well) socket.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
      else socket.destroy();
    }),
  );
  await stage.instance("well.1", (_, response) => response.end());
  await stage.route({ "ill.1": "available", "well.1": "available" });
  while (metAtMs.length < 5) assert.equal(await statusOf(stage, agent), 200, "what fails there is answered by the other");
  const waits = metAtMs.slice(1).map((atMs, which) => atMs - (metAtMs[which] ?? 0));
  assert.ok((waits[2] ?? 0) >= 450, `after its third failure it rests half a second: ${waits}`);
  assert.ok((waits[3] ?? 0) >= 950, `after one more a second: ${waits}`);
  well = true;
  while (metAtMs.length < 6) await statusOf(stage, agent);
  for (let sent = 0; sent < 60; sent += 1) assert.equal(await statusOf(stage, agent), 200);
  // Of two that are idle the first drawn has it: 30 expected, fewer than 10 once in ten million.
  assert.ok(metAtMs.length >= 6 + 10, `it has its share again: ${metAtMs.length - 6} of 60`);
});

withStage(
  "a regrown node begins with a tenth of the others' requests, and has as many when its time is over",
  { slowStartMs: 600_000 },
  async (stage) => {
    const held: { readonly id: string; readonly response: ServerResponse }[] = [];
    const ids = ["old.1", "young.2"];
    for (const id of ids) await stage.instance(id, (_, response) => held.push({ id, response }));
    const sharesSince = async (availableSinceMs: number, count: number): Promise<number[]> => {
      const route = (id: string) => ({ id, availability: "available" as const, sockets: { [listener]: stage.socketOf(id) } });
      await stage.routeTo(route("old.1"), { ...route("young.2"), slowStart: true, availableSinceMs });
      const agent = new Agent({ keepAlive: true, maxSockets: count });
      const answers: Promise<number>[] = [];
      for (let sent = 1; sent <= count; sent += 1) {
        answers.push(statusOf(stage, agent));
        await stage.until(() => held.length === sent);
      }
      const shares = ids.map((id) => held.filter((one) => one.id === id).length);
      for (const { response } of held.splice(0)) response.end();
      assert.deepEqual([...new Set(await Promise.all(answers))], [200]);
      agent.destroy();
      return shares;
    };
    // A request goes where there is least for the share: after ten at the one comes one to the other.
    const [old = 0, young = 0] = await sharesSince(Date.now(), 44);
    assert.ok(young >= 3 && young <= 4 && old === 44 - young, `${old} and ${young}`);
    const even = await sharesSince(Date.now() - 600_000, 44);
    assert.deepEqual(even, [22, 22]);
  },
);

withStage("a node that closed one of its ports, and listens on it again elsewhere, is reached there", {}, async (stage) => {
  await stage.instance("first", (_, response) => response.end("first"));
  await stage.instance("again", (_, response) => response.end("again"));
  const heardOn = async (socket: string) => {
    await stage.routeTo({ id: "web-1.1", availability: "available", sockets: { [listener]: stage.socketOf(socket) } });
    return (await fetch(`http://127.0.0.1:${stage.port}/`)).text();
  };
  assert.equal(await heardOn("first"), "first");
  assert.equal(await heardOn("again"), "again");
  assert.equal(await heardOn("first"), "first");
});

withStage(
  "what ends at a node that is being drained is room for nobody, and costs nobody a turn",
  { nodeRequestsMax: 1 },
  async (stage) => {
    const held = new Map<string, () => void>();
    for (const id of ["web-1.1", "web-2.1"]) await stage.instance(id, ({ url = "" }, response) => held.set(url, () => response.end()));
    const agent = new Agent();
    const ask = (path: string) =>
      new Promise<unknown>((resolve, reject) => {
        get({ port: stage.port, agent, path }, (answer) => answer.resume().on("end", resolve)).on("error", reject);
      });
    const parked = () => stage.heard.findLast((message) => message.kind === "traffic")?.parked;
    await stage.route({ "web-1.1": "available" });
    const first = ask("/first");
    await stage.until(() => held.has("/first"));
    await stage.route({ "web-1.1": "cordoned", "web-2.1": "available" });
    const second = ask("/second");
    await stage.until(() => held.has("/second"));
    const third = ask("/third");
    await stage.until(() => parked() === 1);
    const fourth = ask("/fourth");
    await stage.until(() => parked() === 2);
    held.get("/first")?.();
    await first;
    held.get("/second")?.();
    await second;
    await stage.until(() => held.size === 3);
    assert.equal([...held.keys()].at(-1), "/third");
    held.get("/third")?.();
    await third;
    await stage.until(() => held.size === 4);
    held.get("/fourth")?.();
    await fourth;
  },
);
