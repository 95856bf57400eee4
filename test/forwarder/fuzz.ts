/**
 * Fuzzing over real sockets: messages by chance (test/wire/messages.ts), in pieces by chance, through a real forwarder.
 * The oracles are Node's own server and parser (llhttp, strict), which know nothing of ours.
 *
 * `node test/forwarder/fuzz.ts [--runs 20000] [--seed 7] [--only requests|answers] [--path 12]` is the long form; fuzz.test.ts
 * the short one. A failure says the command that has it again.
 */
import assert from "node:assert/strict";
import { Agent, type ClientRequest, type IncomingMessage, type RequestListener, request, type Server, STATUS_CODES } from "node:http";
import { connect, type Socket } from "node:net";
import { parseArgs } from "node:util";
import fc from "fast-check";
import { type AskedFor, readAnswers, readByNode, readRequests } from "../wire/framing.ts";
import { answers, cuts, requests } from "../wire/messages.ts";
import { type Command, type Fuzzing, holds } from "./fuzzing.ts";
import { Stage } from "./stage.ts";

const shown = (bytes: Buffer) => JSON.stringify(bytes.toString("latin1"));
const commandFor =
  (kind: string): Command =>
  ({ runs, seed, path }) =>
    `node test/forwarder/fuzz.ts --only ${kind} --runs ${runs} --seed ${seed}${path === undefined ? "" : ` --path ${path}`}`;
const lineEnd = Buffer.from("\r\n");
/** What comes and ends within less is held until it is whole. */
const heldForMs = 20;
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Piece by piece, each in a turn of its own. */
async function writeInPieces(socket: Socket, bytes: Buffer, at: readonly number[]): Promise<void> {
  const ends = [...new Set([...at.filter((cut) => cut > 0 && cut < bytes.length), bytes.length])].sort((a, b) => a - b);
  let from = 0;
  for (const to of ends) {
    socket.write(bytes.subarray(from, to));
    from = to;
    await turn();
  }
}

/** Records what it was asked, whole requests only, in the way in which readRequests tells them. */
class Recorder {
  readonly seen: { readonly line: string; readonly body: string }[] = [];
  readonly faults: string[] = [];

  record(server: Server): void {
    server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
      // A client that has gone takes its half request along.
      if (error.code?.startsWith("HPE_") === true && error.code !== "HPE_INVALID_EOF_STATE") this.faults.push(error.code);
      socket.destroy();
    });
    server.on("checkExpectation", (incoming, response) => server.emit("request", incoming, response));
  }

  take(incoming: IncomingMessage, answer: () => void): void {
    let body = "";
    incoming.setEncoding("latin1").on("error", () => {});
    incoming.on("data", (text: string) => (body += text));
    incoming.on("end", () => {
      this.seen.push({ line: `${incoming.method} ${incoming.url}`, body });
      answer();
    });
  }
}

/** Whatever we accept, a server frames as we do; what we refuse, none sees whole. Returns how many requests were compared. */
export async function fuzzRequests(fuzzing: Fuzzing): Promise<number> {
  const stage = await Stage.open();
  const recorder = new Recorder();
  let compared = 0;
  try {
    // With a length: Node's answer without one ends the connection of a client that speaks HTTP/1.0 and names no Host.
    const answer: RequestListener = (incoming, response) =>
      recorder.take(incoming, () => response.setHeader("content-length", 2).end("ok"));
    recorder.record(await stage.instance("web-1.1", answer));
    await stage.route({ "web-1.1": "available" });
    const property = fc.asyncProperty(requests, cuts, async (bytes, at) => {
      const { messages, refused } = readRequests(bytes, [], false);
      const whole = messages.filter(({ complete }) => complete).map(({ line, body }) => ({ line, body }));
      // A fault in the midst of a line may be told at its end.
      const told = refused === null ? bytes : Buffer.concat([bytes, lineEnd]);
      const heard = await hear(stage, told, at, ({ answered, ended }) => ended || (refused === null && answered >= whole.length));
      await sentinel(stage);
      const seen = recorder.seen.splice(0);
      assert.deepEqual(recorder.faults.splice(0), [], `accepted, and refused by the server: ${shown(bytes)}`);
      assert.equal(seen.pop()?.line, "GET /sentinel", shown(bytes));
      assert.deepEqual(seen, whole, shown(bytes));
      if (refused !== null) assert.match(heard, new RegExp(`HTTP/1\\.1 ${refused} ${STATUS_CODES[refused]}\r\n`), shown(bytes));
      compared += whole.length;
    });
    await holds(property, fuzzing, commandFor("requests"));
  } finally {
    await stage.close();
  }
  return compared;
}

interface Heard {
  readonly answered: number;
  readonly ended: boolean;
}

/** What a client of its own is told, until `enough`. */
async function hear(stage: Stage, bytes: Buffer, at: readonly number[], enough: (heard: Heard) => boolean): Promise<string> {
  const socket = connect({ port: stage.port, host: "127.0.0.1", noDelay: true });
  let text = "";
  let ended = false;
  const done = new Promise<void>((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`not answered within 10 s: ${shown(bytes)}, heard ${JSON.stringify(text)}`)), 10_000);
    const look = () => {
      if (!enough({ answered: text.match(/HTTP\/1\.1 200 /g)?.length ?? 0, ended })) return;
      clearTimeout(late);
      resolve();
    };
    const over = () => {
      ended = true;
      look();
    };
    socket.setEncoding("latin1").on("data", (more: string) => {
      text += more;
      look();
    });
    socket.on("error", over).on("end", over);
    look();
  });
  await writeInPieces(socket, bytes, at);
  await done;
  socket.destroy();
  return text;
}

/** A request behind: what was left on the way to the server would come before it, or in its place. */
async function sentinel(stage: Stage, agent?: Agent): Promise<string> {
  const { status, body } = await told(request({ ...to(stage), path: "/sentinel", ...(agent === undefined ? {} : { agent }) }));
  return `${status} ${body}`;
}

const to = ({ port }: Stage) => ({ host: "127.0.0.1", port });

interface Told {
  readonly status: number | undefined;
  readonly body: string;
}

async function told(outgoing: ClientRequest): Promise<Told> {
  return new Promise((resolve, reject) => {
    outgoing.on("error", reject).end();
    outgoing.on("response", (answer) => {
      let body = "";
      answer.setEncoding("latin1").on("error", reject);
      answer.on("data", (text: string) => (body += text));
      answer.on("end", () => resolve({ status: answer.statusCode, body }));
    });
  });
}

const asked: fc.Arbitrary<AskedFor & { readonly method: string }> = fc.record({
  method: fc.constantFrom("GET", "GET", "HEAD", "POST"),
  ended: fc.constant(true),
});

/** The client is told what llhttp reads in the server's bytes, or a 502 (a stream is cut); the next answer is its own. Returns how many answers passed. */
export async function fuzzAnswers(fuzzing: Fuzzing): Promise<number> {
  const stage = await Stage.open();
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  let current: { readonly bytes: Buffer; readonly at: readonly number[] } = { bytes: Buffer.alloc(0), at: [] };
  let passed = 0;
  let run = 0;
  /** Connections on which bytes of such an answer may still be on their way. */
  let open = 0;
  /** How long it took to say one: without a length, it may go on to the client before it has ended. */
  let longestMs = 0;
  try {
    await stage.rawInstance("web-1.1", (socket) => {
      socket.setEncoding("latin1").on("data", (text: string) => {
        if (text.includes(" /sentinel ")) return void socket.write("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsentinel");
        const beganMs = performance.now();
        void writeInPieces(socket, current.bytes, current.at).then(() => {
          socket.end();
          longestMs = Math.max(longestMs, performance.now() - beganMs);
        });
        socket.once("close", () => (open -= 1));
        open += 1;
      });
    });
    await stage.route({ "web-1.1": "available" });
    const property = fc.asyncProperty(answers, cuts, asked, async (bytes, at, askedFor) => {
      current = { bytes, at };
      longestMs = 0;
      run += 1; // a path of its own: one whose servers die is not sent again for a while
      const { method } = askedFor;
      const outgoing = request({ ...to(stage), method, path: `/${run}`, agent });
      const { status, body } = await told(outgoing).catch(() => ({ status: "cut", body: "" }));
      const final = ({ line }: { readonly line: string }) => Number(line) >= 200 || line === "101";
      const ours = readAnswers(bytes, askedFor).messages.find(final);
      const byNode = readByNode(bytes, "answers", askedFor).messages.find(final);
      // An event stream is not held until it is whole.
      const isStream = ours?.fields.some((field) => /^content-type: text\/event-stream/i.test(field)) === true;
      const mayBeCut = isStream || longestMs > heldForMs;
      if (ours?.complete !== true) assert.ok(status === 502 || (mayBeCut && status === "cut"), `${status} ${shown(bytes)}`);
      else {
        assert.deepEqual([status, body], [Number(ours.line), ours.body], shown(bytes));
        assert.deepEqual([byNode?.line, byNode?.body, byNode?.complete], [ours.line, ours.body, true], shown(bytes));
        passed += 1;
      }
      // HTTP/1.1 cannot tell bytes that a server sends too late from the next answer: the next request is one after them.
      const lateMs = performance.now() + 10_000;
      while (open > 0) {
        assert.ok(performance.now() < lateMs, `a connection was not ended within 10 s: ${shown(bytes)}`);
        await turn();
      }
      assert.equal(await sentinel(stage, agent), "200 sentinel", shown(bytes));
    });
    await holds(property, fuzzing, commandFor("answers"));
  } finally {
    agent.destroy();
    await stage.close();
  }
  return passed;
}

if (import.meta.main) {
  const text = { type: "string" } as const;
  const { values } = parseArgs({ options: { runs: { ...text, default: "20000" }, seed: text, only: text, path: text } });
  const { only, path } = values;
  const fuzzing = { runs: Number(values.runs), seed: Number(values.seed ?? Date.now() % 1_000_000), path };
  console.log(`seed ${fuzzing.seed}`);
  if (only !== "answers") console.log(`${await fuzzRequests(fuzzing)} requests compared`);
  if (only !== "requests") console.log(`${await fuzzAnswers(fuzzing)} answers compared`);
}
