/** Several sessions of one server, used as people use them, over regenerations and a replicator that is killed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { TestCluster } from "./cluster.ts";

const script = fileURLToPath(new URL("./fixtures/two-sessions-app.cjs", import.meta.url));

class Browser {
  readonly #site: string;
  cookie = "";

  constructor(port: number, of: string) {
    this.#site = `http://127.0.0.1:${port}/${of}`;
  }

  async ask(path: string, method = "GET"): Promise<Record<string, unknown>> {
    const { cookie } = this;
    const answer = await fetch(`${this.#site}${path}`, { method, redirect: "manual", headers: { cookie } });
    this.cookie = answer.headers.getSetCookie()[0]?.split(";")[0] ?? cookie;
    assert.ok(answer.status === 200 || answer.status === 302, `${path}: ${answer.status}`);
    const text = await answer.text();
    return answer.status === 200 ? (JSON.parse(text) as Record<string, unknown>) : {};
  }
}

/** A visit: what is asked is answered from this session, and from no other. */
async function visit(port: number, of: string, user: string): Promise<void> {
  const browser = new Browser(port, of);
  const { token } = await browser.ask("/token");
  assert.equal((await browser.ask("/token"))["token"], token);
  const before = new Browser(port, of);
  before.cookie = browser.cookie;
  const polls = ["a", "b"].map((key) => before.ask(`/poll/${key}`));
  await browser.ask(`/login?user=${user}`, "POST");
  for (const { user: seen } of await Promise.all(polls)) assert.equal(seen, null);
  await Promise.all(["c", "d", "e"].map((key) => browser.ask(`/poll/${key}`)));
  const { user: who, of: where, maxAge, c, d, e } = await browser.ask("/me");
  assert.deepEqual([who, where, c, d, e], [user, of, true, true, true]);
  assert.ok(Math.abs(Number(maxAge) - 86_400_000) < 1_000, `${maxAge}`);
  await browser.ask("/flash", "POST");
  assert.deepEqual([await browser.ask("/flash"), await browser.ask("/flash")], [["saved"], []]);
  const ended = new Browser(port, of);
  ended.cookie = browser.cookie;
  await Promise.all([browser.ask("/logout", "POST"), ended.ask("/poll/f")]);
  for (const { cookie } of [before, ended]) {
    const late = new Browser(port, of);
    late.cookie = cookie;
    assert.equal((await late.ask("/me"))["user"], undefined);
  }
}

test("two sessions in one server: logins, messages, tokens, parallel requests and logouts, while nodes are regenerated and the replicator is killed", {
  timeout: 300_000,
}, async () => {
  const cluster = await TestCluster.start({ script, settings: { minReadyMs: 300 } });
  const visits = { made: 0, wrong: [] as string[] };
  let goesOn = true;
  const visitor = async (name: string, of: string) => {
    for (let n = 0; goesOn; n += 1) {
      await visit(cluster.port, of, `${name}-${n}`).catch((error: Error) => visits.wrong.push(error.message));
      visits.made += 1;
    }
  };
  const visitors = ["shop", "office"].flatMap((of) => ["one", "two"].map((name) => visitor(`${of}-${name}`, of)));
  await cluster.until("they came to both nodes", () => visits.made > 10);
  for (let times = 0; times < 2; times += 1) {
    const { code } = await cluster.command("regenerate", "--all", "--wait", "--name", "t");
    assert.equal(code, 0);
    const { replicator } = await cluster.status();
    assert.ok(replicator.pid !== null && process.kill(replicator.pid, "SIGKILL"));
  }
  goesOn = false;
  await Promise.all(visitors);
  assert.deepEqual(visits.wrong, []);
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
});
