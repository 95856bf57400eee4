/** Finds what is data in a part of an answer of HTTP/1.1: in place where it lies in one piece, else brought together; and its trailers. */
import type { BodyParts, BodyReader } from "../wire/body.ts";

const nothing = Buffer.alloc(0);
const carriageReturn = 0x0d;

export class AnswerData implements BodyParts {
  /** The data lies in here, from `from` to `to`. */
  bytes: Buffer = nothing;
  from = 0;
  to = 0;
  /** The bytes are nobody else's. */
  owned = false;
  /** Lines that end with CR LF. */
  trailers = "";
  #source: Buffer = nothing;

  read(body: BodyReader, source: Buffer, from: number): void {
    this.#source = source;
    this.bytes = source;
    this.from = from;
    this.to = from;
    this.owned = false;
    this.trailers = "";
    body.read(source, from, source.length, this);
    this.#source = nothing;
  }

  data(from: number, to: number): void {
    if (this.from === this.to) {
      this.from = from;
      this.to = to;
      return;
    }
    if (!this.owned) this.#gather();
    this.to += this.#source.copy(this.bytes, this.to, from, to);
  }

  trailer(at: number): void {
    const byte = this.#source[at] as number; // inside
    this.trailers += byte === carriageReturn ? "\r\n" : String.fromCharCode(byte);
  }

  #gather(): void {
    const all = Buffer.allocUnsafe(this.#source.length - this.from);
    this.to = this.bytes.copy(all, 0, this.from, this.to);
    this.from = 0;
    this.bytes = all;
    this.owned = true;
  }
}
