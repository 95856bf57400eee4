/**
 * Exchanges by chance over HTTP/2, many at once on one connection, some given up by their clients, some by their
 * servers: each stream gets its own answer, whole, or an end that says it is not; and no server takes half a request for one.
 */
import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import type { ClientHttp2Session } from "node:http2";
import fc from "fast-check";
import { fuzzingOf, holds, testFile } from "./fuzzing.ts";
import { http2To, withTls } from "./secure-stage.ts";
import { body, type Received, salt, WishServer } from "./wish-server.ts";

const fuzzing = fuzzingOf(40);
const cancel = 8;

interface Wish {
  /** Null: no body. */
  readonly upBytes: number | null;
  readonly saysLength: boolean;
  readonly trailer: boolean;
  readonly downBytes: number;
  readonly pieces: number;
  readonly how: "length" | "chunked" | "cut";
  readonly status: number;
  /** It gives up after so many bytes of its body. */
  readonly givesUpAt: number | null;
}

const size = fc.oneof(fc.nat(300), fc.nat(40_000), fc.nat(400_000));
const wish: fc.Arbitrary<Wish> = fc.record({
  upBytes: fc.option(size),
  saysLength: fc.boolean(),
  trailer: fc.boolean(),
  downBytes: size,
  pieces: fc.integer({ min: 1, max: 5 }),
  how: fc.constantFrom("length", "length", "chunked", "chunked", "cut"),
  status: fc.constantFrom(200, 200, 200, 404, 500, 204, 304),
  givesUpAt: fc.option(fc.nat(400_000), { freq: 5 }),
});

class Server extends WishServer<Wish> {
  protected override read(path: string, wished: Wish, { incoming, got }: Received, response: ServerResponse): void {
    this.#check(path, wished, got, incoming.trailers["x-trailer"]);
    this.#write(path, wished, response);
  }

  #check(path: string, wished: Wish, got: Buffer, gotTrailer: string | undefined): void {
    const { upBytes, saysLength, trailer } = wished;
    // Node's client ends its body in order before it resets a stream: without a length nobody can see that more was to come.
    if (givesUp(wished) && !saysLength) return;
    if (!got.equals(body(upBytes ?? 0, salt(path)))) this.faults.push(`${path}: ${got.length} bytes of ${upBytes}`);
    // Beside a length, HTTP/1.1 has no place for trailers.
    const wanted = trailer && upBytes !== null && !saysLength ? "up" : undefined;
    if (gotTrailer !== wanted) this.faults.push(`${path}: trailer ${gotTrailer}`);
  }

  #write(path: string, { downBytes, how, status, pieces, trailer }: Wish, response: ServerResponse): void {
    const whole = body(downBytes, salt(path) + 1);
    response.statusCode = status;
    if (how === "length") response.setHeader("content-length", downBytes);
    const step = Math.ceil(downBytes / pieces) || 1;
    const send = (from: number): void => {
      if (how === "cut" && from > 0) return void response.destroy();
      if (from >= downBytes) {
        if (how === "chunked" && trailer) response.addTrailers({ "x-trailer": "down" });
        response.end();
      } else response.write(whole.subarray(from, from + step), () => setImmediate(send, from + step));
    };
    send(0);
  }
}

const givesUp = ({ givesUpAt, upBytes }: Wish) => givesUpAt !== null && givesUpAt < (upBytes ?? Number.POSITIVE_INFINITY);

interface Got {
  readonly status: number;
  readonly body: Buffer;
  readonly trailer: unknown;
  /** The stream ended in order. */
  readonly whole: boolean;
}

async function exchange(session: ClientHttp2Session, path: string, { upBytes, saysLength, trailer, givesUpAt }: Wish): Promise<Got> {
  const up = upBytes === null ? null : body(upBytes, salt(path));
  const length = saysLength && up !== null ? { "content-length": up.length } : {};
  const sendsTrailer = trailer && up !== null && !saysLength;
  const stream = session.request(
    { ":method": up === null ? "GET" : "PUT", ":path": path, ...length },
    { endStream: up === null, waitForTrailers: sendsTrailer },
  );
  if (sendsTrailer) stream.on("wantTrailers", () => stream.sendTrailers({ "x-trailer": "up" }));
  let status = 0;
  let got: unknown;
  let ended = false;
  const chunks: Buffer[] = [];
  stream.on("error", () => {}).on("response", (headers) => (status = Number(headers[":status"])));
  stream.on("trailers", (trailers) => (got = trailers["x-trailer"]));
  stream.on("data", (chunk: Buffer) => chunks.push(chunk)).on("end", () => (ended = true));
  if (up !== null && givesUpAt !== null && givesUpAt < up.length) stream.write(up.subarray(0, givesUpAt), () => stream.close(cancel));
  else if (up !== null) stream.end(up);
  else if (givesUpAt !== null) setImmediate(() => stream.close(cancel));
  await new Promise<void>((resolve) => stream.on("close", resolve));
  return { status, body: Buffer.concat(chunks), trailer: got, whole: ended && stream.rstCode === 0 };
}

withTls("fuzz: HTTP/2: exchanges by chance, sixteen at once", {}, async ({ stage }) => {
  const server = new Server();
  await stage.instance("web-1.1", (incoming, response) => server.answer(incoming, response));
  await stage.route({ "web-1.1": "available" });
  let number = 0;
  let compared = 0;
  const check = async (session: ClientHttp2Session, wished: Wish): Promise<void> => {
    number += 1;
    const path = `/${number}`;
    server.wishes.set(path, wished);
    const { status, body: got, trailer, whole } = await exchange(session, path, wished);
    const said = `${path} ${JSON.stringify(wished)}: ${status}, ${got.length} bytes, ${whole ? "whole" : "reset"}`;
    const bodiless = wished.status === 204 || wished.status === 304;
    const expected = bodiless ? Buffer.alloc(0) : body(wished.downBytes, salt(path) + 1);
    if (givesUp(wished)) return;
    if (wished.how === "cut" && !bodiless) {
      assert.ok(!whole || status === 502 || got.equals(expected), said);
      return;
    }
    assert.ok(whole && (status === wished.status || status === 502), said);
    if (status === 502) return; // its server died of another's being cut
    assert.ok(got.equals(expected), said);
    const trails = wished.how === "chunked" && wished.trailer && wished.downBytes > 0; // Node's server sends an empty one with a length
    if (!bodiless) assert.equal(trailer, trails ? "down" : undefined, said);
    compared += 1;
  };
  const property = fc.asyncProperty(fc.array(wish, { minLength: 16, maxLength: 16 }), async (wishes) => {
    const session = http2To(stage).on("error", () => {});
    await Promise.all(wishes.map((wished) => check(session, wished)));
    session.close();
    assert.deepEqual(server.faults, []);
  });
  await holds(property, fuzzing, testFile("http2-fuzz.test.ts"));
  assert.ok(compared > fuzzing.runs, `only ${compared} answers were compared`);
  await stage.until(() => stage.heard.findLast((one) => one.kind === "traffic")?.upstreams.every(({ total }) => total === 0) === true);
});
