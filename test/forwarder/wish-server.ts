/** The server of the fuzzers of whole exchanges: what it is to do, and what it was sent, go by the number in the path. */
import type { IncomingMessage, ServerResponse } from "node:http";

/** Bytes that say where they belong. */
export function body(bytes: number, salt: number): Buffer {
  const all = Buffer.alloc(bytes);
  for (let at = 0; at < bytes; at += 1) all[at] = (at * 31 + salt + (at >> 8)) & 0xff;
  return all;
}

export const salt = (path: string) => Number(path.slice(1));

export interface Received {
  readonly incoming: IncomingMessage;
  readonly got: Buffer;
}

export abstract class WishServer<Wish> {
  readonly wishes = new Map<string, Wish>();
  readonly faults: string[] = [];

  answer(incoming: IncomingMessage, response: ServerResponse): void {
    const path = incoming.url ?? "";
    const wished = this.wishes.get(path);
    if (wished === undefined) throw new Error(`nobody asked for ${path}`);
    const chunks: Buffer[] = [];
    incoming.on("error", () => {}).on("data", (chunk: Buffer) => chunks.push(chunk));
    this.begun(path, wished, response);
    incoming.on("end", () => this.read(path, wished, { incoming, got: Buffer.concat(chunks) }, response));
  }

  /** The head has come. */
  protected begun(_path: string, _wished: Wish, _response: ServerResponse): void {}

  /** The whole request has. */
  protected abstract read(path: string, wished: Wish, received: Received, response: ServerResponse): void;
}
