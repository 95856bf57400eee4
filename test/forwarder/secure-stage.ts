/** A stage behind TLS, and clients of HTTP/2 for it. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import type { RequestListener } from "node:http";
import { type ClientHttp2Session, connect as connectHttp2, type OutgoingHttpHeaders } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { clientHeader } from "../../src/forwarder/headers.ts";
import { makeKeyPair } from "./key-pairs.ts";
import { Stage } from "./stage.ts";

export interface Context {
  readonly stage: Stage;
  readonly directory: string;
}

/** A test with a stage of its own that speaks TLS, with certificates for two names. */
export const withTls = (
  name: string,
  settings: Readonly<Record<string, unknown>>,
  body: (context: Context) => Promise<void>,
  probed = true,
) =>
  test(name, { timeout: 300_000 }, async () => {
    const directory = mkdtempSync(join(tmpdir(), "coppice-tls-"));
    const tls = [makeKeyPair(directory, "shop.example"), makeKeyPair(directory, "news.example")];
    const stage = await Stage.open(settings, { tls, probed });
    try {
      await body({ stage, directory });
    } finally {
      await stage.close();
      rmSync(directory, { recursive: true });
    }
  });

/** Says what it was told: of the client by the private header, and the request as it came. */
export const telling: RequestListener = (incoming, response) => {
  const hash = createHash("sha256");
  let bytes = 0;
  incoming.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    hash.update(chunk);
  });
  incoming.on("end", () => {
    response.setHeader("set-cookie", ["a=1", "b=2"]);
    response.setHeader("x-frame-options", "DENY");
    const client = String(incoming.headers[clientHeader] ?? "").split(" ");
    response.end(
      JSON.stringify({
        method: incoming.method,
        url: incoming.url,
        client: client.slice(1),
        raw: incoming.rawHeaders.slice(2),
        bytes,
        sha256: hash.digest("hex"),
      }),
    );
  });
};

export interface Told {
  readonly method: string;
  readonly url: string;
  readonly client: string[];
  readonly raw: string[];
  readonly bytes: number;
  readonly sha256: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly body: Buffer;
}

/** One request on an HTTP/2 session; rejects where its stream was reset. */
export async function ask(session: ClientHttp2Session, headers: OutgoingHttpHeaders, body?: Buffer): Promise<Answer> {
  const stream = session.request(headers);
  stream.end(body);
  const chunks: Buffer[] = [];
  let answered: OutgoingHttpHeaders = {};
  let ended = false;
  stream.on("response", (given) => {
    answered = given;
  });
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  stream.on("end", () => {
    ended = true;
  });
  await once(stream, "close");
  if (stream.rstCode !== 0 || !ended) throw new Error(`reset with ${stream.rstCode}`);
  return { status: Number(answered[":status"]), headers: answered, body: Buffer.concat(chunks) };
}

export const toldIn = ({ body }: { readonly body: Buffer }): Told => JSON.parse(body.toString()) as Told;

export function http2To(stage: Stage, servername = "shop.example"): ClientHttp2Session {
  const session = connectHttp2(`https://127.0.0.1:${stage.port}`, { rejectUnauthorized: false, servername });
  // As an error is that nobody listens for, but for the reset when the forwarder is killed in the end.
  return session.on("error", (error) => {
    if (!stage.closing && session.listenerCount("error") === 1) throw error;
  });
}
