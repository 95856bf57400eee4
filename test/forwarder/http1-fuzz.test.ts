/**
 * Exchanges by chance over HTTP/1.1, many in a row on one connection before the first is answered: each has its own answer, whole
 * and in its place, or a 502, or the connection ends by a reset; and no server takes half a request for one.
 */
import assert from "node:assert/strict";
import type { IncomingMessage, ServerResponse } from "node:http";
import { connect } from "node:net";
import fc from "fast-check";
import { fuzzingOf, holds, testFile } from "./fuzzing.ts";
import { type Stage, withStage } from "./stage.ts";
import { body, type Received, salt, WishServer } from "./wish-server.ts";

interface Wish {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "DELETE";
  /** Null: no body. */
  readonly upBytes: number | null;
  readonly up: "length" | "chunked" | "trailers";
  readonly expects: boolean;
  readonly upgrades: boolean;
  /** When the server answers: before it has read the body, or after. */
  readonly early: boolean;
  readonly hints: number;
  readonly downBytes: number;
  readonly pieces: number;
  readonly how: "length" | "chunked" | "until close" | "cut";
  readonly status: number;
}

const size = fc.oneof(fc.nat(300), fc.nat(40_000), fc.nat(300_000));
const wish: fc.Arbitrary<Wish> = fc.record({
  method: fc.constantFrom("GET", "GET", "HEAD", "POST", "PUT", "DELETE"),
  upBytes: fc.option(size, { freq: 2 }),
  up: fc.constantFrom("length", "length", "chunked", "trailers"),
  expects: fc.nat(9).map((one) => one === 0),
  upgrades: fc.nat(9).map((one) => one === 0),
  early: fc.nat(5).map((one) => one === 0),
  hints: fc.constantFrom(0, 0, 0, 1, 3),
  downBytes: size,
  pieces: fc.integer({ min: 1, max: 5 }),
  how: fc.constantFrom("length", "length", "length", "chunked", "chunked", "chunked", "until close", "cut"),
  status: fc.constantFrom(200, 200, 200, 404, 500, 204, 304),
});

/** Its end may not be one in order: of a server that ends before it has read all, a reset says nothing of the answer's own end. */
const mayBeCut = ({ how, early, upBytes }: Wish) => how === "cut" || (how === "until close" && early && upBytes !== null);
const isBodiless = ({ status }: Wish) => status === 204 || status === 304;

class Server extends WishServer<Wish> {
  protected override begun(path: string, wished: Wish, response: ServerResponse): void {
    for (let count = 0; count < wished.hints; count += 1) response.writeEarlyHints({ link: "</x>; rel=preload" });
    if (wished.expects) response.writeContinue();
    if (wished.early) this.#write(path, wished, response);
  }

  protected override read(path: string, wished: Wish, { incoming, got }: Received, response: ServerResponse): void {
    this.#check(path, wished, got, incoming);
    if (!wished.early) this.#write(path, wished, response);
  }

  #check(path: string, { upBytes, up, method }: Wish, got: Buffer, incoming: IncomingMessage): void {
    if (incoming.method !== method) this.faults.push(`${path}: ${incoming.method}`);
    if (!got.equals(body(upBytes ?? 0, salt(path)))) this.faults.push(`${path}: ${got.length} bytes of ${upBytes}`);
    const wanted = up === "trailers" && upBytes !== null ? "up" : undefined;
    if (incoming.trailers["x-trailer"] !== wanted) this.faults.push(`${path}: trailer ${incoming.trailers["x-trailer"]}`);
  }

  #write(path: string, wished: Wish, response: ServerResponse): void {
    const { downBytes, how, status, pieces } = wished;
    const whole = body(downBytes, salt(path) + 1);
    response.statusCode = status;
    response.setHeader("x-path", path);
    if ((how === "length" || how === "cut") && !isBodiless(wished))
      response.setHeader("content-length", how === "cut" ? downBytes + 1 : downBytes);
    if (how === "until close") response.useChunkedEncodingByDefault = false;
    const step = Math.ceil(downBytes / pieces) || 1;
    if (how === "cut") return void response.write(whole.subarray(0, step), () => setImmediate(() => response.destroy()));
    const send = (from: number): void => {
      // The end with the last bytes: between the two, Node mixes up what it says to the next request on the connection.
      if (from + step >= downBytes) response.end(whole.subarray(from));
      else response.write(whole.subarray(from, from + step), () => setImmediate(send, from + step));
    };
    send(0);
  }
}

function requestOf(path: string, { method, upBytes, up, expects, upgrades }: Wish, last: boolean): Buffer {
  const lines = [`${method} ${path} HTTP/1.1`, "Host: x"];
  if (last) lines.push("Connection: close");
  else if (upgrades) lines.push("Connection: Upgrade", "Upgrade: websocket");
  if (expects) lines.push("Expect: 100-continue");
  const sent = body(upBytes ?? 0, salt(path));
  const head = (...more: string[]) => Buffer.from(`${[...lines, ...more].join("\r\n")}\r\n\r\n`);
  if (upBytes === null) return head();
  if (up === "length") return Buffer.concat([head(`Content-Length: ${upBytes}`), sent]);
  const parts: Buffer[] = [];
  for (let from = 0; from < upBytes; from += 7_001) {
    const part = sent.subarray(from, from + 7_001);
    parts.push(Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from("\r\n"));
  }
  const trailer = up === "trailers" ? "X-Trailer: up\r\n" : "";
  return Buffer.concat([head("Transfer-Encoding: chunked"), ...parts, Buffer.from(`0\r\n${trailer}\r\n`)]);
}

interface Told {
  readonly status: number;
  readonly path: string | undefined;
  readonly body: Buffer;
  /** It ends with the connection. */
  readonly last: boolean;
  readonly end: number;
}

/** A plain reading of one answer; null: it is not whole. */
function answerAt(bytes: Buffer, at: number, { method }: Wish, ended: boolean): Told | null {
  for (let from = at; ; ) {
    const headEnd = bytes.indexOf("\r\n\r\n", from) + 4;
    if (headEnd < 4) return null;
    const head = bytes.toString("latin1", from, headEnd);
    const status = Number(head.slice(9, 12));
    const field = (name: string) => new RegExp(`\r\n${name}: ([^\r]*)\r\n`, "i").exec(head)?.[1];
    from = headEnd;
    if (status < 200) continue;
    const told = { status, path: field("x-path"), last: field("connection") === "close" };
    const length = field("content-length");
    if (method === "HEAD" || status === 204 || status === 304) return { ...told, body: Buffer.alloc(0), end: headEnd };
    if (length !== undefined) {
      const end = headEnd + Number(length);
      return end > bytes.length ? null : { ...told, body: bytes.subarray(headEnd, end), end };
    }
    if (field("transfer-encoding") === undefined)
      return ended ? { ...told, body: bytes.subarray(headEnd), last: true, end: bytes.length } : null;
    const parts: Buffer[] = [];
    for (let chunk = headEnd; ; ) {
      const dataAt = bytes.indexOf("\r\n", chunk) + 2;
      const dataBytes = Number.parseInt(bytes.toString("latin1", chunk, dataAt), 16);
      if (dataAt < 2 || dataAt + dataBytes + 2 > bytes.length) return null;
      if (dataBytes === 0) return { ...told, body: Buffer.concat(parts), end: dataAt + 2 };
      parts.push(bytes.subarray(dataAt, dataAt + dataBytes));
      chunk = dataAt + dataBytes + 2;
    }
  }
}

/** All that comes until the connection ends, and whether in order. */
async function hear({ port }: Stage, bytes: Buffer, cuts: readonly number[]): Promise<{ bytes: Buffer; ended: boolean }> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  const over = new Promise<boolean>((resolve) => socket.on("end", () => resolve(true)).on("error", () => resolve(false)));
  let from = 0;
  for (const to of [...cuts.map((cut) => cut % bytes.length).sort((a, b) => a - b), bytes.length]) {
    socket.write(bytes.subarray(from, to));
    from = to;
    await new Promise((resolve) => setImmediate(resolve));
  }
  const ended = await over;
  socket.destroy();
  return { bytes: Buffer.concat(chunks), ended };
}

withStage("fuzz: HTTP/1.1: exchanges by chance, in a row on one connection", {}, async (stage) => {
  const server = new Server();
  const answer = (incoming: IncomingMessage, response: ServerResponse) => server.answer(incoming, response);
  for (const id of ["web-1.1", "web-2.1"]) (await stage.instance(id, answer)).on("checkContinue", answer);
  await stage.route({ "web-1.1": "available", "web-2.1": "available" });
  const fuzzing = fuzzingOf(150);
  let number = 0;
  let compared = 0;
  const property = fc.asyncProperty(
    fc.array(wish, { minLength: 1, maxLength: 8 }),
    fc.array(fc.nat(1_000_000), { maxLength: 6 }),
    async (wishes, cuts) => {
      const paths = wishes.map((wished) => {
        number += 1;
        server.wishes.set(`/${number}`, wished);
        return `/${number}`;
      });
      const sent = Buffer.concat(wishes.map((wished, at) => requestOf(paths[at] ?? "", wished, at === wishes.length - 1)));
      const { bytes, ended } = await hear(stage, sent, cuts);
      assert.deepEqual(server.faults.splice(0), []);
      let from = 0;
      for (const [at, wished] of wishes.entries()) {
        const said = `${at} of ${JSON.stringify(wishes)}, ${bytes.length} bytes, ${ended ? "ended" : "reset"}`;
        const told = answerAt(bytes, from, wished, ended);
        if (told === null) {
          // The reset that ends half an answer takes along what lay unread of the one before.
          const cut = wishes.slice(at).some(mayBeCut);
          assert.ok(cut && !ended, `no whole answer: ${said}`);
          return;
        }
        if (told.status === 502) assert.ok(mayBeCut(wished), `502: ${said}`);
        else {
          assert.deepEqual([told.status, told.path], [wished.status, paths[at]], said);
          const expected =
            wished.method === "HEAD" || isBodiless(wished) ? Buffer.alloc(0) : body(wished.downBytes, salt(paths[at] ?? "") + 1);
          assert.ok(told.body.equals(expected), `${told.body.length} bytes: ${said}`);
          compared += 1;
        }
        from = told.end;
        if (told.last) break;
      }
      assert.equal(from, bytes.length, "more than was asked for");
    },
  );
  await holds(property, fuzzing, testFile("http1-fuzz.test.ts"));
  assert.ok(compared > fuzzing.runs, `only ${compared} answers were compared`);
  await stage.until(() => stage.heard.findLast((one) => one.kind === "traffic")?.upstreams.every(({ total }) => total === 0) === true);
});
