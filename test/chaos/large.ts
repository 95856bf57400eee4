/**
 * Large bodies in both directions, over each protocol that clients speak: they arrive as they were sent, and the
 * forwarder's memory does not know how long they are.
 */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { request as requestHttp } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { request as requestHttps } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { crc32 } from "node:zlib";
import { makeKeyPair } from "../forwarder/key-pairs.ts";
import { Stage } from "../forwarder/stage.ts";
import { measure } from "./processes.ts";

const protocols = ["http", "https", "http2"] as const;
type Protocol = (typeof protocols)[number];

export interface Transfer {
  readonly protocol: Protocol;
  readonly direction: "up" | "down";
  /** What arrived is what was sent. */
  readonly whole: boolean;
  readonly seconds: number;
  /** The most that the forwarder took during the transfer beyond what it had before. */
  readonly grownBytes: number;
}

/** A piece that is no multiple of anybody's block; each is told from the others by its number. */
const pieceBytes = 99_991;

function* pieces(bytes: number): Generator<Buffer> {
  for (let from = 0; from < bytes; from += pieceBytes) {
    const piece = Buffer.alloc(Math.min(pieceBytes, bytes - from), "large body ");
    piece.write(String(from));
    yield piece;
  }
}

interface Sum {
  readonly bytes: number;
  readonly crc: number;
}

async function sumOf(parts: Iterable<Buffer> | AsyncIterable<Buffer>): Promise<Sum> {
  let sum: Sum = { bytes: 0, crc: 0 };
  for await (const part of parts) sum = { bytes: sum.bytes + part.length, crc: crc32(part, sum.crc) };
  return sum;
}

/** One body of `bytes` up and one down, over each protocol. */
export async function largeBodies(bytes: number, say: (text: string) => void = () => {}): Promise<Transfer[]> {
  const directory = mkdtempSync(join(tmpdir(), "coppice-large-"));
  const tls = [makeKeyPair(directory, "shop.example")];
  const transfers: Transfer[] = [];
  const sent = await sumOf(pieces(bytes));
  for (const protocol of protocols) {
    const stage = await Stage.open({}, protocol === "http" ? {} : { tls });
    try {
      await stage.instance("web-1.1", (incoming, response) => {
        if (incoming.method === "POST") void sumOf(incoming).then((sum) => response.end(JSON.stringify(sum)));
        else void pipeline(pieces(Number(incoming.url?.slice(1))), response);
      });
      await stage.route({ "web-1.1": "available" });
      await transfer(stage, protocol, "down", 1_000_000); // what is needed once is there before
      for (const direction of ["down", "up"] as const) {
        const memory = new Watched(stage);
        const beganMs = performance.now();
        const arrived = await transfer(stage, protocol, direction, bytes);
        const seconds = (performance.now() - beganMs) / 1_000;
        const whole = arrived.bytes === sent.bytes && arrived.crc === sent.crc;
        const done: Transfer = { protocol, direction, whole, seconds, grownBytes: memory.end() };
        transfers.push(done);
        say(JSON.stringify(done));
      }
    } finally {
      await stage.close();
    }
  }
  rmSync(directory, { recursive: true });
  return transfers;
}

/** The forwarder's resident memory, looked at now and then. */
class Watched {
  readonly #pid: number;
  readonly #before: number;
  readonly #timer: NodeJS.Timeout;
  #most = 0;

  constructor({ process: { pid = 0 } }: Stage) {
    this.#pid = pid;
    this.#before = this.#read();
    this.#timer = setInterval(() => this.#read(), 20).unref();
  }

  end(): number {
    clearInterval(this.#timer);
    this.#read();
    return this.#most - this.#before;
  }

  #read(): number {
    const rssBytes = measure(this.#pid)?.rssBytes ?? 0;
    this.#most = Math.max(this.#most, rssBytes);
    return rssBytes;
  }
}

/** What arrived, as the receiving side tells it. */
async function transfer(stage: Stage, protocol: Protocol, direction: "up" | "down", bytes: number): Promise<Sum> {
  const method = direction === "up" ? "POST" : "GET";
  const { to, answer, end } = protocol === "http2" ? onHttp2(stage, method, `/${bytes}`) : onHttp1(stage, protocol, method, `/${bytes}`);
  if (direction === "up") await pipeline(pieces(bytes), to);
  else to.end();
  const told = await answer;
  const sum = direction === "down" ? await sumOf(told) : (JSON.parse(Buffer.concat(await told.toArray()).toString()) as Sum);
  end();
  return sum;
}

interface Open {
  readonly to: Writable;
  readonly answer: Promise<Readable>;
  readonly end: () => void;
}

function onHttp1({ port }: Stage, protocol: "http" | "https", method: string, path: string): Open {
  const ask = protocol === "http" ? requestHttp : requestHttps;
  const to = ask({ host: "127.0.0.1", port, method, path, agent: false, rejectUnauthorized: false });
  return { to, answer: once(to, "response").then(([answer]) => answer as Readable), end: () => to.destroy() };
}

function onHttp2({ port }: Stage, method: string, path: string): Open {
  const session = connectHttp2(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
  const stream = session.request({ ":method": method, ":path": path }, { endStream: method === "GET" });
  return { to: stream, answer: Promise.resolve(stream), end: () => session.close() };
}
