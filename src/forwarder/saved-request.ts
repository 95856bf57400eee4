/**
 * A request as it is kept while it is in process, so that it can be sent again: its head with what the
 * forwarder puts in front, and what was read of its body, in one block where that fits, else see
 * saved-body.ts. It is sent from here, so that keeping it costs one copy and nothing else. Past a bound of
 * its own, or one of all requests together, the body is not kept any more, and the request is not sent again.
 */
import { fieldLines } from "../wire/head.ts";
import type { RequestHead } from "../wire/request-head.ts";
import type { Blocks } from "./blocks.ts";
import { type SaveBudget, SavedBody } from "./saved-body.ts";

/** Room in a request's block for the lines that the forwarder puts in front. */
export const prefixBytesMax = 2 * 1024;
const shortCopyBytes = 24;
/** A request's first line ends with its version's second digit and CRLF. */
const minorVersionBytes = 3;
/** No longer than what it stands for. */
const upgradeLineAndEnd = Buffer.from("connection: upgrade\r\n\r\n");

export class SavedRequest {
  readonly #blocks: Blocks;
  readonly #budget: SaveBudget;
  /** So much of the body may be kept, less what lies in the head's block. */
  #bodyBytesMax: number;
  #bytes: Buffer;
  #lineEnd: number;
  #fieldsAt: number;
  #fieldsEnd: number;
  #end: number;
  /** What does not lie in the head's block. */
  #body: SavedBody | null = null;
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
    bytes[this.#lineEnd - minorVersionBytes] = 0x30 + head.forwardedMinorVersion;
    this.#fieldsAt = this.#lineEnd + prefixBytes;
    let at = this.#fieldsAt;
    let from = head.fieldsAt;
    for (let cut = 0; cut < 2 * head.cutCount; cut += 2) {
      const to = head.cuts[cut] as number; // inside
      at = copy(source, from, to, bytes, at);
      from = head.cuts[cut + 1] as number; // inside
    }
    at = copy(source, from, head.end, bytes, at);
    if (head.upgradesUnsaid) at = copy(upgradeLineAndEnd, 0, upgradeLineAndEnd.length, bytes, at - 2);
    this.#fieldsEnd = at - 2;
    this.#end = at;
  }

  /** Head and body up to here fit one write. */
  get inOnePiece(): boolean {
    return this.#body === null || this.#body.parts.length === 0;
  }

  /** What follows on the first piece. */
  get parts(): readonly Buffer[] {
    return this.#body?.parts ?? [];
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

  /** Another value, no longer than what stands there, for fields of this name. */
  replaceValue(name: string, value: string): void {
    for (const { nameAt, nameEnd, valueEnd } of fieldLines(this.#bytes, this.#fieldsAt, this.#fieldsEnd)) {
      if (this.#bytes.toString("latin1", nameAt, nameEnd).toLowerCase() !== name) continue;
      this.#bytes.fill(" ", nameEnd + 1, valueEnd);
      this.#bytes.write(value, valueEnd - value.length, "latin1");
    }
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

  /**
   * What of the body came with the head, before anybody has been sent it: kept in the same block where it fits.
   * `left`: at least so many bytes will follow.
   */
  keepFirst(source: Buffer, from: number, to: number, left: number): void {
    const fits = this.inOnePiece && this.#end + (to - from) + prefixBytesMax <= this.#bytes.length;
    if (fits) {
      this.#end = copy(source, from, to, this.#bytes, this.#end);
      this.#bodyBytesMax -= to - from;
    } else this.keep(source, from, to, left);
  }

  mayKeep(bytes: number): boolean {
    return this.whole && this.#ownBody.mayKeep(bytes);
  }

  /** Keeps a further part, and gives it as it is kept. */
  keep(source: Buffer, from: number, to: number, left: number): Buffer {
    return this.#ownBody.keep(source, from, to, left);
  }

  /** Where a further part may be read to. */
  room(left: number): Buffer {
    return this.#ownBody.room(left);
  }

  get #ownBody(): SavedBody {
    this.#body ??= new SavedBody(this.#budget, this.#bodyBytesMax);
    return this.#body;
  }

  /** So much was kept that the client should wait. */
  get full(): boolean {
    return this.#body?.full === true;
  }

  /** More was kept than may be: it is not to be sent twice. */
  get overdrawn(): boolean {
    return this.#bodyBytesMax < 0 || this.#body?.overdrawn === true;
  }

  /** It will not be sent again: of what still comes nothing is kept. `inUse`: a write may still need what was. */
  keepNoMore(inUse: boolean): void {
    this.whole = false;
    this.#body?.stop(inUse);
  }

  /** The request is over. `inUse`: a write, or a read that is under way, may still need the blocks. */
  release(inUse: boolean): void {
    this.#body?.release(inUse);
    if (!inUse) this.#blocks.give(this.#bytes);
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
