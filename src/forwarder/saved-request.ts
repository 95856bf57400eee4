/**
 * A request as it is kept while it is in process, so that it can be sent again: its head with what the
 * forwarder puts in front, and what was read of its body, in one block where that fits. It is sent from
 * here, so that keeping it costs one copy and nothing else. Past a bound of its own, or one of all requests
 * together, the body is not kept any more, and the request is not sent again.
 */
import { fieldLines } from "../wire/head.ts";
import type { RequestHead } from "../wire/request-head.ts";
import type { Blocks } from "./blocks.ts";

/** Room in a request's block for the lines that the forwarder puts in front. */
export const prefixBytesMax = 2 * 1024;
const shortCopyBytes = 24;

/** Bytes of bodies that all requests together keep beside their blocks. */
export class SaveBudget {
  readonly bytesMax: number;
  bytes = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }
}

export class SavedRequest {
  readonly #blocks: Blocks;
  readonly #budget: SaveBudget;
  readonly #bodyBytesMax: number;
  #bytes: Buffer;
  #lineEnd: number;
  #fieldsAt: number;
  #fieldsEnd: number;
  #end: number;
  #chunks: Buffer[] | null = null;
  #chunkBytes = 0;
  /** All that was read of it is kept. */
  whole = true;

  /** Copies a head out of the bytes that it was read from, without the lines that stay behind. */
  constructor(head: RequestHead, source: Buffer, prefixBytes: number, blocks: Blocks, budget: SaveBudget, bodyBytesMax: number) {
    this.#blocks = blocks;
    this.#budget = budget;
    this.#bodyBytesMax = bodyBytesMax;
    const bytes = blocks.take();
    this.#bytes = bytes;
    this.#lineEnd = head.fieldsAt - head.start;
    copy(source, head.start, head.fieldsAt, bytes, 0);
    this.#fieldsAt = this.#lineEnd + prefixBytes;
    let at = this.#fieldsAt;
    let from = head.fieldsAt;
    for (let cut = 0; cut < 2 * head.cutCount; cut += 2) {
      const to = head.cuts[cut] as number; // inside
      at = copy(source, from, to, bytes, at);
      from = head.cuts[cut + 1] as number; // inside
    }
    at = copy(source, from, head.end, bytes, at);
    this.#fieldsEnd = at - 2;
    this.#end = at;
  }

  /** Head and body up to here fit one write. */
  get inOnePiece(): boolean {
    return this.#chunks === null;
  }

  get chunks(): readonly Buffer[] {
    return this.#chunks ?? [];
  }

  /** The head and the part of the body that lies behind it. */
  get first(): Buffer {
    return this.#bytes.subarray(0, this.#end);
  }

  /** Puts lines in front of all fields, in place of those of an attempt before. */
  putFirst(line: Buffer, rest: Buffer): void {
    const shift = line.length + rest.length - (this.#fieldsAt - this.#lineEnd);
    if (this.#end + shift > this.#bytes.length) this.#grow(this.#end + shift);
    if (shift !== 0) this.#shift(this.#fieldsAt, shift);
    this.#fieldsAt += shift;
    copy(line, 0, line.length, this.#bytes, this.#lineEnd);
    copy(rest, 0, rest.length, this.#bytes, this.#lineEnd + line.length);
  }

  /** Takes out the fields that `unwanted` says, by their name in lower case. */
  dropFields(unwanted: (name: string) => boolean): void {
    const gone = [...fieldLines(this.#bytes, this.#fieldsAt, this.#fieldsEnd)].filter(({ nameAt, nameEnd }) =>
      unwanted(this.#bytes.toString("latin1", nameAt, nameEnd).toLowerCase()),
    );
    for (const { nameAt, valueEnd } of gone.reverse()) this.#shift(valueEnd + 2, nameAt - valueEnd - 2);
  }

  /** The first field of this name, or null. For what is rarely asked. */
  fieldValue(name: string): string | null {
    return this.#values(name)[0] ?? null;
  }

  /** All fields of this name as one list (RFC 9110 §5.2), or null. */
  fieldList(name: string): string | null {
    const values = this.#values(name);
    return values.length === 0 ? null : values.join(", ");
  }

  #values(name: string): string[] {
    return [...fieldLines(this.#bytes, this.#fieldsAt, this.#fieldsEnd)]
      .filter(({ nameAt, nameEnd }) => this.#bytes.toString("latin1", nameAt, nameEnd).toLowerCase() === name)
      .map(({ nameEnd, valueEnd }) => this.#bytes.toString("latin1", nameEnd + 1, valueEnd).trim());
  }

  /** The request's target without its query. */
  get path(): string {
    const [, target = ""] = this.#bytes.toString("latin1", 0, this.#lineEnd).split(" ");
    return target.split("?", 1)[0] ?? "";
  }

  /** What of the body came with the head, before anybody has been sent it: kept in the same block where it fits. */
  saveFirst(source: Buffer, from: number, to: number): void {
    if (this.#chunks !== null || this.#end + (to - from) + prefixBytesMax > this.#bytes.length) this.save(source, from, to, true);
    else this.#end = copy(source, from, to, this.#bytes, this.#end);
  }

  /** Keeps a further part: the copy, or null where it is kept no more. `anyway` is for a request that nobody has been sent yet. */
  save(source: Buffer, from: number, to: number, anyway = false): Buffer | null {
    if (!this.whole) return null;
    const length = to - from;
    if (!anyway && (this.#chunkBytes + length > this.#bodyBytesMax || this.#budget.bytes + length > this.#budget.bytesMax)) {
      this.whole = false;
      this.#freeChunks();
      return null;
    }
    const kept = Buffer.from(source.subarray(from, to));
    this.#chunks ??= [];
    this.#chunks.push(kept);
    this.#chunkBytes += length;
    this.#budget.bytes += length;
    return kept;
  }

  /** So much was kept that the client should wait. */
  get full(): boolean {
    return this.#chunkBytes >= this.#bodyBytesMax || this.#budget.bytes >= this.#budget.bytesMax;
  }

  /** The request is answered. `inUse`: a write may still need the block. */
  release(inUse: boolean): void {
    this.#freeChunks();
    if (!inUse) this.#blocks.give(this.#bytes);
  }

  #freeChunks(): void {
    this.#budget.bytes -= this.#chunkBytes;
    this.#chunkBytes = 0;
    this.#chunks = this.#chunks === null ? null : [];
  }

  /** Lines of others that we pass on can be long. */
  #grow(bytes: number): void {
    const larger = Buffer.allocUnsafeSlow(bytes);
    this.#bytes.copy(larger, 0, 0, this.#end);
    this.#blocks.give(this.#bytes);
    this.#bytes = larger;
  }

  #shift(from: number, by: number): void {
    this.#bytes.copyWithin(from + by, from, this.#end);
    this.#fieldsEnd += by;
    this.#end += by;
  }
}

/** Returns where the copy ends. A few bytes are faster one by one than by a call into the runtime. */
function copy(source: Buffer, from: number, to: number, target: Buffer, at: number): number {
  const length = to - from;
  if (length > shortCopyBytes) source.copy(target, at, from, to);
  else for (let index = 0; index < length; index += 1) target[at + index] = source[from + index] as number; // inside
  return at + length;
}
