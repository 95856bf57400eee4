/**
 * The body of one request of HTTP/2 as its frames come. While its exchange rests, what comes is kept, packed, and never more than
 * the stream's window; windows open again as it is taken. The connection's is larger: an upload that rests leaves others room.
 */
import { ReceiveWindow } from "./receive-window.ts";

/** A fast upload needs as much on its way as one round trip takes; all together may have four times as much. */
export const uploadWindowBytes = 256 * 1024;
const packBytes = 16 * 1024;

/** Whom an upload tells. */
export interface UploadTaker {
  /** The bytes stay as they are after this call. */
  bodyCame(bytes: Buffer, from: number, to: number): void;
  bodyEnded(): void;
  /** So much was taken or dropped: its connection's window may open by it, and where `own` is more than zero, the stream's. */
  bodyTaken(bytes: number, own: number): void;
}

export class Upload {
  readonly #taker: UploadTaker;
  readonly #window = new ReceiveWindow(uploadWindowBytes);
  #paused = false;
  #dropped = false;
  /** Its end came, and was not told yet. */
  #ends = false;
  readonly #packs: Buffer[] = [];
  /** How far the last pack is filled. */
  #packEnd = 0;

  constructor(taker: UploadTaker) {
    this.#taker = taker;
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** Its end came, and waits behind what is kept. */
  get ending(): boolean {
    return this.#ends;
  }

  /** False: more than its window allowed. `heldBytes`: with padding. The bytes stay as they are. */
  came(bytes: Buffer, from: number, to: number, heldBytes: number, ends: boolean): boolean {
    if (!this.#window.came(heldBytes)) return false;
    this.#ends = ends;
    const keeps = (this.#paused || this.#packs.length > 0) && !this.#dropped;
    if (keeps) this.#pack(bytes, from, to);
    this.#taken(keeps ? heldBytes - (to - from) : heldBytes);
    if (!keeps && !this.#dropped && to > from) this.#taker.bodyCame(bytes, from, to);
    this.#tellEnd();
    return true;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    while (this.#packs.length > 0 && !this.#paused) {
      const pack = this.#packs[0] as Buffer; // there is one
      const bytes = this.#packs.length === 1 ? pack.subarray(0, this.#packEnd) : pack;
      this.#packs.shift();
      this.#taken(bytes.length);
      this.#taker.bodyCame(bytes, 0, bytes.length);
    }
    this.#tellEnd();
  }

  /** What still comes nobody wants. */
  drop(): void {
    this.#dropped = true;
    const kept = this.#packs.length === 0 ? 0 : (this.#packs.length - 1) * packBytes + this.#packEnd;
    this.#packs.length = 0;
    this.#taken(kept);
    this.#tellEnd();
  }

  #taken(bytes: number): void {
    if (bytes > 0) this.#taker.bodyTaken(bytes, this.#ends ? 0 : this.#window.taken(bytes));
  }

  #tellEnd(): void {
    if (!this.#ends || this.#packs.length > 0) return;
    this.#ends = false;
    this.#taker.bodyEnded();
  }

  /** Small frames take no more memory than their bytes. */
  #pack(bytes: Buffer, from: number, to: number): void {
    for (let at = from; at < to; ) {
      let pack = this.#packs.at(-1);
      if (pack === undefined || this.#packEnd === packBytes) {
        pack = Buffer.allocUnsafeSlow(packBytes);
        this.#packs.push(pack);
        this.#packEnd = 0;
      }
      const end = Math.min(to, at + packBytes - this.#packEnd);
      bytes.copy(pack, this.#packEnd, at, end);
      this.#packEnd += end - at;
      at = end;
    }
  }
}
