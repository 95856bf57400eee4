/**
 * Fields out of HPACK (RFC 7541 §3, §6), one decoder for each connection. A literal is put together as a line in a place that all
 * decoders share; one that its client wants remembered is copied from there once. So a field that was sent before costs a look-up.
 */

import { DynamicTable, staticFields } from "./hpack-table.ts";
import { copyBytes } from "./http-bytes.ts";
import { colonSpace, type Field, kindOf } from "./http2-fields.ts";
import { decodedBytesMax, decodeHuffman } from "./huffman.ts";

/** Numbers of more than four further bytes no index and no length can be. */
const lastShift = 21;

/** Is told each field; the line is the decoder's own and may change after the call. */
export interface FieldSink {
  /** `line[0..nameEnd)` is the name, `line[nameEnd + 2..valueEnd)` the value; CR LF follows. */
  field(line: Uint8Array, nameEnd: number, valueEnd: number, kind: number): void;
}

let scratch = new Uint8Array(64 * 1024);

export class HpackDecoder {
  readonly #table = new DynamicTable();
  #bytes: Uint8Array = scratch;
  #at = 0;
  #end = 0;
  #failed = false;

  /** For tests: what it has learnt. */
  get table(): DynamicTable {
    return this.#table;
  }

  /** Reads all fields in `bytes[from..to)`. False: it is no HPACK, and nothing that follows could be read either. */
  decode(bytes: Uint8Array, from: number, to: number, sink: FieldSink): boolean {
    this.#bytes = bytes;
    this.#at = from;
    this.#end = to;
    this.#failed = false;
    for (let fields = 0; this.#at < this.#end && !this.#failed; ) {
      const byte = bytes[this.#at] as number; // inside
      if ((byte & 0xe0) === 0x20) {
        // The table's size changes before all fields (§4.2).
        if (fields > 0 || !this.#table.resize(this.#number(0x1f))) return false;
        continue;
      }
      fields += 1;
      if (byte >= 0x80) this.#indexed(sink);
      else if (byte >= 0x40) this.#literal(0x3f, true, sink);
      else this.#literal(0x0f, false, sink);
    }
    return !this.#failed;
  }

  #indexed(sink: FieldSink): void {
    const field = this.#fieldAt(this.#number(0x7f));
    if (field !== undefined) sink.field(field.line, field.nameEnd, field.line.length - 2, field.kind);
  }

  #literal(prefix: number, remembered: boolean, sink: FieldSink): void {
    const index = this.#number(prefix);
    const nameEnd = index === 0 ? this.#string(0) : this.#copyName(this.#fieldAt(index));
    if (this.#failed) return;
    const valueEnd = this.#string(nameEnd + colonSpace);
    if (this.#failed) return;
    const line = scratch;
    line[nameEnd] = 0x3a;
    line[nameEnd + 1] = 0x20;
    line[valueEnd] = 0x0d;
    line[valueEnd + 1] = 0x0a;
    const kind = kindOf(line, nameEnd, valueEnd);
    if (remembered) this.#table.add({ line: line.slice(0, valueEnd + 2), nameEnd, kind });
    sink.field(line, nameEnd, valueEnd, kind);
  }

  #fieldAt(index: number): Field | undefined {
    const field = index <= staticFields.length ? staticFields[index - 1] : this.#table.at(index - staticFields.length - 1);
    if (field === undefined) this.#failed = true;
    return field;
  }

  #copyName(field: Field | undefined): number {
    if (field === undefined) return 0;
    const { line, nameEnd } = field;
    makeRoom(0, nameEnd);
    return copyBytes(line, 0, nameEnd, scratch, 0);
  }

  /** A number whose first bits share a byte (§5.1). */
  #number(prefix: number): number {
    let value = (this.#bytes[this.#at] ?? 0) & prefix;
    this.#at += 1;
    if (value < prefix) return value;
    for (let shift = 0; ; shift += 7) {
      if (this.#at >= this.#end || shift > lastShift) break;
      const byte = this.#bytes[this.#at] as number; // inside
      this.#at += 1;
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    return this.#fail();
  }

  /** Puts a string at `at` in the common place; returns where it ends (§5.2). */
  #string(at: number): number {
    if (this.#at >= this.#end) return this.#fail();
    const coded = (this.#bytes[this.#at] as number) >= 0x80; // inside
    const length = this.#number(0x7f);
    const from = this.#at;
    const to = from + length;
    if (this.#failed || to > this.#end) return this.#fail();
    this.#at = to;
    if (coded) {
      makeRoom(at, decodedBytesMax(length));
      const end = decodeHuffman(this.#bytes, from, to, scratch, at);
      return end < 0 ? this.#fail() : end;
    }
    makeRoom(at, length);
    return copyBytes(this.#bytes, from, to, scratch, at);
  }

  #fail(): number {
    this.#failed = true;
    return 0;
  }
}

/** Behind a string its line's end must have room too. */
function makeRoom(at: number, bytes: number): void {
  const needed = at + Math.ceil(bytes) + 2 * colonSpace;
  if (needed <= scratch.length) return;
  const larger = new Uint8Array(2 * needed);
  larger.set(scratch);
  scratch = larger;
}
