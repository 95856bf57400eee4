/** Routing: who gets a request, exact accounts, and the resend rule, each against a dumb twin. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { RouteTable, UpstreamRoute } from "../../src/model/routes.ts";
import { cookieValue } from "../../src/routing/affinity.ts";
import { type AttemptEnd, DeadlyRoutes, isUnsafe, resendVerdict } from "../../src/routing/resend-rule.ts";
import { UpstreamTable } from "../../src/routing/upstream-table.ts";
import { seededRandom } from "../../src/sim/random.ts";

function route(id: string, changes: Partial<UpstreamRoute> = {}): UpstreamRoute {
  return { id, availability: "available", sockets: { "*|80": `/${id}` }, availableSinceMs: 0, probed: true, slowStart: false, ...changes };
}

function table(revision: number, upstreams: readonly UpstreamRoute[]): RouteTable {
  return { revision, listeners: [], upstreams, affinityCookies: ["sid"] };
}

function newTable(drained: string[] = [], slowStartMs = 0): UpstreamTable {
  return new UpstreamTable({ slowStartMs, random: seededRandom(1), onDrained: ({ id }) => drained.push(id) });
}

const ask = (session: string | null = null, nowMs = 0) => ({ listener: "*|80", session, nowMs, avoid: [] });

test("affinity: a session stays where it is, whatever happens to the others; when its own goes, only it moves", () => {
  const all = ["web-1.1", "web-2.1", "web-3.1", "web-4.1"];
  const upstreams = newTable();
  upstreams.apply(
    table(
      1,
      all.map((id) => route(id)),
    ),
  );
  const sessions = Array.from({ length: 400 }, (_, index) => `s%3Asession-${index}.sig`);
  const before = sessions.map((session) => upstreams.choose(ask(session))?.id);
  for (const id of all) {
    const share = before.filter((chosen) => chosen === id).length / sessions.length;
    assert.ok(share > 0.15 && share < 0.35, `${id} has ${share} of the sessions`);
  }
  upstreams.apply(
    table(
      2,
      all.map((id) => route(id, id === "web-2.1" ? { availability: "cordoned" } : {})),
    ),
  );
  for (const [index, session] of sessions.entries()) {
    const now = upstreams.choose(ask(session))?.id;
    if (before[index] === "web-2.1") assert.notEqual(now, "web-2.1");
    else assert.equal(now, before[index]);
  }
});

test("choice: only available upstreams that serve the listener, and nobody if there is none", () => {
  const upstreams = newTable();
  upstreams.apply(table(1, [route("web-1.1", { availability: "cordoned" }), route("web-2.1", { sockets: { "*|81": "/x" } })]));
  assert.equal(upstreams.choose(ask()), null);
  assert.equal(upstreams.choose({ ...ask(), listener: "*|81" })?.id, "web-2.1");
});

test("choice: without a session the less loaded of two; a regrown one gets its share slowly", () => {
  const upstreams = newTable([], 10_000);
  upstreams.apply(table(1, [route("web-1.1"), route("web-2.2", { slowStart: true, availableSinceMs: 1_000 })]));
  const shareAt = (nowMs: number) => {
    const open = [];
    for (let count = 0; count < 200; count += 1) {
      const upstream = upstreams.choose(ask(null, nowMs));
      assert.ok(upstream !== null);
      upstreams.begin(upstream, false);
      open.push(upstream);
    }
    for (const upstream of open) upstreams.end(upstream, false);
    return open.filter(({ id }) => id === "web-2.2").length / open.length;
  };
  assert.ok(shareAt(1_000) < 0.2, "cold");
  const half = shareAt(6_000);
  assert.ok(half > 0.2 && half < 0.45, `half way: ${half}`);
  assert.ok(Math.abs(shareAt(20_000) - 0.5) < 0.1, "warm");
  upstreams.bound({ slowStartMs: 100_000 });
  assert.ok(shareAt(20_000) < 0.3, "a longer time is there for one that has begun");
  upstreams.bound({ slowStartMs: 0 });
  assert.ok(Math.abs(shareAt(2_000) - 0.5) < 0.1, "none at all");
});

test("drain: exact for any order of begins, ends and tables; told once a cordon, at once if nothing is in flight", () => {
  const command = fc.oneof(
    fc.record({ do: fc.constant("begin" as const), unsafe: fc.boolean() }),
    fc.record({ do: fc.constant("end" as const), pick: fc.nat(50) }),
    fc.record({
      do: fc.constant("table" as const),
      states: fc.array(fc.constantFrom("available", "cordoned", "removed"), { minLength: 3, maxLength: 3 }),
    }),
  );
  fc.assert(
    fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
      const drained: string[] = [];
      const upstreams = newTable(drained);
      let revision = 1;
      upstreams.apply(
        table(
          revision,
          ["a.1", "b.1", "c.1"].map((id) => route(id)),
        ),
      );
      const open: { upstream: NonNullable<ReturnType<UpstreamTable["choose"]>>; unsafe: boolean }[] = [];
      const cordoned = new Set<string>();
      const expected: string[] = [];
      const count = (id: string) => open.filter((one) => one.upstream.id === id).length;
      for (const step of commands) {
        if (step.do === "begin") {
          const upstream = upstreams.choose(ask());
          if (upstream === null) continue;
          assert.equal(cordoned.has(upstream.id), false);
          upstreams.begin(upstream, step.unsafe);
          open.push({ upstream, unsafe: step.unsafe });
        } else if (step.do === "end") {
          const [one] = open.splice(step.pick % Math.max(open.length, 1), 1);
          if (one === undefined) continue;
          upstreams.end(one.upstream, one.unsafe);
          if (cordoned.has(one.upstream.id) && count(one.upstream.id) === 0) expected.push(one.upstream.id);
        } else {
          revision += 1;
          // An upstream that was removed with requests in process does not come back: ids are never used twice.
          const present = upstreams
            .all()
            .filter(({ listed }) => listed)
            .map(({ id }) => id);
          const routes = step.states.flatMap((state, index) => {
            const id = ["a.1", "b.1", "c.1"][index] ?? "";
            return state === "removed" || !present.includes(id) ? [] : [route(id, { availability: state as "available" })];
          });
          upstreams.apply(table(revision, routes));
          for (const id of present) {
            const now = routes.find((one) => one.id === id);
            if (now?.availability === "cordoned") {
              if (!cordoned.has(id) && count(id) === 0) expected.push(id);
              cordoned.add(id);
            } else cordoned.delete(id);
          }
        }
        assert.deepEqual(drained, expected);
        for (const [id, { total, unsafe }] of Object.entries(upstreams.inFlight())) {
          assert.equal(total, count(id));
          assert.equal(unsafe, open.filter((one) => one.upstream.id === id && one.unsafe).length);
        }
      }
    }),
  );
});

test("table: an old or repeated revision changes nothing", () => {
  const upstreams = newTable();
  assert.equal(upstreams.apply(table(5, [route("web-1.1")])), true);
  assert.equal(upstreams.apply(table(5, [])), false);
  assert.equal(upstreams.apply(table(4, [])), false);
  assert.equal(upstreams.choose(ask())?.id, "web-1.1");
});

test("resend: the rule, case by case", () => {
  const facts = {
    method: "GET",
    end: "died" as AttemptEnd,
    answerSent: false,
    bodySaved: true,
    deathsBefore: 0,
    idempotencyKey: false,
    deadly: false,
  };
  const cases: [Partial<typeof facts>, string][] = [
    [{}, "resend"],
    [{ method: "PUT" }, "resend"],
    [{ method: "POST" }, "answer-502"],
    [{ method: "PATCH" }, "answer-502"],
    [{ method: "POST", idempotencyKey: true }, "resend"],
    [{ method: "POST", end: "not-written" }, "resend"],
    [{ method: "POST", end: "refused" }, "resend"],
    [{ method: "POST", end: "refused", bodySaved: false }, "answer-502"],
    [{ deathsBefore: 1 }, "answer-502"],
    [{ deadly: true }, "answer-502"],
    [{ bodySaved: false }, "answer-502"],
    [{ answerSent: true }, "reset"],
    [{ answerSent: true, end: "refused" }, "reset"],
  ];
  for (const [changes, verdict] of cases) assert.equal(resendVerdict({ ...facts, ...changes }), verdict, JSON.stringify(changes));
  for (const method of ["GET", "HEAD", "OPTIONS", "TRACE"]) assert.equal(isUnsafe(method), false);
  for (const method of ["POST", "PUT", "PATCH", "DELETE", "QUERY"]) assert.equal(isUnsafe(method), true);
});

test("queries of death: a request's second death makes its route deadly for a while; the memory is bounded", () => {
  const routes = new DeadlyRoutes(1_000);
  assert.equal(routes.isDeadly("GET /x", 1), false);
  routes.diedAgain("GET /x", 10);
  assert.equal(routes.isDeadly("GET /x", 11), true);
  assert.equal(routes.isDeadly("GET /y", 11), false);
  assert.equal(routes.isDeadly("GET /x", 1_011), false);
  for (let index = 0; index < 1_000; index += 1) routes.diedAgain(`GET /${index}`, 20);
  assert.equal(routes.isDeadly("GET /x", 21), false, "forgotten for newer ones");
});

test("cookies: the first known name wins, a name inside another's value or name is none", () => {
  assert.equal(cookieValue("a=1; sid=abc; b=2", ["sid"]), "abc");
  assert.equal(cookieValue("xsid=no; sid=yes", ["sid"]), "yes");
  assert.equal(cookieValue("other=sid=no", ["sid"]), null);
  assert.equal(cookieValue("a=1;sid=tight", ["sid"]), "tight");
  assert.equal(cookieValue("b=2; a=1", ["a", "b"]), "1");
  assert.equal(cookieValue("", ["a"]), null);
});

test("cookies: one without a value, as it is left of a session that ended, is nobody's", () => {
  assert.equal(cookieValue("sid=", ["sid"]), null);
  assert.equal(cookieValue("sid=; a=1", ["sid"]), null);
  assert.equal(cookieValue("sid=; a=1", ["sid", "a"]), "1");
  assert.equal(cookieValue("sid=; sid=abc", ["sid"]), "abc");
});

test("ejection: after three failures in a row an upstream is set aside for a while, longer each time, unless there is no other", () => {
  const upstreams = newTable();
  upstreams.apply(table(1, [route("web-1.1"), route("web-2.1")]));
  const [bad, good] = upstreams.all();
  assert.ok(bad !== undefined && good !== undefined);
  const chosenAt = (nowMs: number) => new Set(Array.from({ length: 50 }, () => upstreams.choose(ask(null, nowMs))?.id)).size;
  const failThrice = (nowMs: number) => {
    for (let count = 0; count < 3; count += 1) upstreams.failed(bad, nowMs);
  };
  upstreams.failed(bad, 0);
  upstreams.failed(bad, 0);
  assert.equal(chosenAt(0), 2);
  upstreams.failed(bad, 0);
  assert.equal(chosenAt(1), 1);
  // Those that fail with it count for nothing more.
  failThrice(1);
  assert.equal(chosenAt(499), 1);
  assert.equal(chosenAt(500), 2);
  upstreams.failed(bad, 600);
  assert.equal(chosenAt(1_599), 1, "twice as long");
  assert.equal(chosenAt(1_600), 2);
  for (let count = 0; count < 3; count += 1) upstreams.failed(good, 1_600);
  upstreams.failed(bad, 1_600);
  assert.notEqual(upstreams.choose(ask(null, 1_601)), null, "all have failed: better one of them than none");
  upstreams.succeeded(bad);
  assert.equal(upstreams.choose(ask(null, 1_601))?.id, bad.id);
});

test("an upstream that a request has failed on has it again where there is no other; one that it may never have, not even then", () => {
  const upstreams = new UpstreamTable({ slowStartMs: 0, random: seededRandom(1), onDrained: () => {} });
  upstreams.apply(table(1, [route("web-1.1"), route("web-2.1")]));
  const failedOn = { ...ask("session"), avoid: ["web-1.1", "web-2.1"] };
  assert.notEqual(upstreams.choose(failedOn), null);
  assert.equal(upstreams.choose({ ...failedOn, never: ["web-1.1"] })?.id, "web-2.1");
  assert.equal(upstreams.choose({ ...failedOn, never: ["web-2.1"] })?.id, "web-1.1");
  assert.equal(upstreams.choose({ ...failedOn, never: ["web-1.1", "web-2.1"] }), null);
});

test("an upstream that was set aside has a request before one that it has failed on", () => {
  const upstreams = newTable();
  upstreams.apply(table(1, [route("web-1.1"), route("web-2.1")]));
  const [aside] = upstreams.all();
  assert.ok(aside !== undefined);
  for (let count = 0; count < 3; count += 1) upstreams.failed(aside, 0);
  for (let count = 0; count < 50; count += 1) assert.equal(upstreams.choose({ ...ask(`s${count}`, 1), avoid: ["web-2.1"] }), aside);
});

test("limit: an upstream that is full gets no more, whoever's session it is; all full: nobody", () => {
  const upstreams = new UpstreamTable({ slowStartMs: 0, concurrencyMax: 1, random: seededRandom(1), onDrained: () => {} });
  upstreams.apply(table(1, [route("web-1.1"), route("web-2.1")]));
  const first = upstreams.choose(ask("session"));
  assert.ok(first !== null);
  upstreams.begin(first, false);
  const second = upstreams.choose(ask("session"));
  assert.ok(second !== null && second !== first);
  upstreams.begin(second, false);
  assert.equal(upstreams.choose(ask("session")), null);
  upstreams.end(first, false);
  assert.equal(upstreams.choose(ask(null)), first);
});
