/** Notices: told once, standing while somebody says so; and what the last words of a node give away. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Notices } from "../../src/daemon/notices.ts";
import { onlyOneCanHave } from "../../src/daemon/only-one.ts";

const advice = { level: "advice", code: "c", text: "mend it" } as const;
const codes = (notices: Notices) => notices.standing.map(({ code }) => code);

test("advice is told once, whoever says it and however often, and stands until the last who said so has ended", () => {
  const notices = new Notices([]);
  assert.deepEqual(notices.hear("web-1.1", advice), { kind: "notice", text: "mend it", facts: { level: "advice", code: "c" } });
  assert.equal(notices.hear("web-2.1", advice), null);
  notices.ended("web-1.1");
  assert.deepEqual(codes(notices), ["c"]);
  notices.ended("web-2.1");
  assert.deepEqual(codes(notices), []);
  assert.equal(notices.hear("web-1.2", advice), null);
  assert.deepEqual(codes(notices), ["c"]);
});

test("a monitor that was restarted does not tell again what the events hold", () => {
  const earlier = { sequence: 1, atMs: 0, kind: "notice", text: "mend it", facts: { level: "advice", code: "c" } } as const;
  const notices = new Notices([earlier]);
  assert.equal(notices.hear("web-1.1", advice), null);
  assert.deepEqual(codes(notices), ["c"]);
});

test("a warning is of one instance, and told each time", () => {
  const notices = new Notices([]);
  const warning = { level: "warning", code: "w", text: "it failed" } as const;
  for (const _ of [1, 2]) assert.equal(notices.hear("web-1.1", warning)?.text, "web-1.1: it failed");
  assert.deepEqual(codes(notices), []);
});

test("secrets are compared within a release only", () => {
  const notices = new Notices([]);
  assert.equal(notices.compare("web-1.1", "1", "express-session", "aa"), null);
  assert.equal(notices.compare("web-2.1", "1", "express-session", "aa"), null);
  assert.equal(notices.compare("web-1.2", "2", "express-session", "bb"), null);
  assert.equal(notices.compare("web-1.2", "2", "cookie-parser", "cc"), null);
  assert.match(notices.compare("web-2.2", "2", "express-session", "dd")?.text ?? "", /secret of express-session is another one/);
  assert.deepEqual(codes(notices), ["secret-differs"]);
});

test("the last words of a node that wants what only one can have, and what to do", () => {
  const node = ["node:events:505", "Error: listen EADDRINUSE: address already in use :::4801", "    at x", "Node.js v24.21.0"];
  const python = ["Traceback (most recent call last):", "OSError: [Errno 98] Address already in use"];
  const lock = ["Error: EEXIST: file already exists, open '/var/lock/app'"];
  const cases = [
    [node, "script", null, /4801.*COPPICE_NODE_INDEX.*-n 1/],
    [python, "command", null, /With --port Coppice takes that port/],
    [python, "command", 3000, /listen where PORT says/],
    [lock, "script", null, /same file or lock.*COPPICE_NODE /],
  ] as const;
  for (const [tail, kind, port, expected] of cases) assert.match(onlyOneCanHave(tail, { kind, port })?.text ?? "", expected);
  assert.equal(onlyOneCanHave(["Error: no database"], { kind: "script", port: null }), null);
});

test("the same advice with other last words is told once, over a restart of the monitor too", () => {
  const words = (second: number) => [`12:00:0${second} [pid ${second}] Error: listen EADDRINUSE: address already in use :::4801`];
  const notice = (second: number) => onlyOneCanHave(words(second), { kind: "script", port: null }) ?? assert.fail();
  const notices = new Notices([]);
  const told = notices.tellOnce(notice(1)) ?? assert.fail();
  assert.match(told.text, /12:00:01/);
  assert.equal(notices.tellOnce(notice(2)), null);
  assert.equal(notices.advice.length, 1);
  assert.equal(new Notices([{ ...told, sequence: 1, atMs: 0 }]).tellOnce(notice(3)), null);
});

test("what is said in ever other words is told, and not kept for ever", () => {
  const notices = new Notices([]);
  for (let n = 0; n < 5_000; n += 1) assert.notEqual(notices.hear(`web-1.${n}`, { ...advice, text: `mend ${n}` }), null);
  assert.ok(notices.advice.length <= 20);
  assert.notEqual(notices.hear("web-1.1", { ...advice, text: "mend 0" }), null, "it is long forgotten");
});
