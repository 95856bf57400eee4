/**
 * What is kept of a request's body behind the block of its head: in blocks that the client's reads go
 * straight into, so that keeping it costs no copy and no garbage. It is bounded, for itself and together
 * with all others; whoever asks `mayKeep` first keeps to that.
 */
import { giveBack, largeBlocks, smallBlockBytes, smallBlocks } from "./blocks.ts";

/** Reading into less is not worth the call. */
const roomBytesMin = 4 * 1024;

/** Bytes of bodies that all requests together keep beside their heads' blocks. */
export class SaveBudget {
  bytesMax: number;
  bytes = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }
}

export class SavedBody {
  /** In order, for a further attempt. */
  readonly parts: Buffer[] = [];
  readonly #budget: SaveBudget;
  readonly #bytesMax: number;
  #bytes = 0;
  readonly #filled: Buffer[] = [];
  #block: Buffer | null = null;
  #end = 0;
  /** The place that was given out for a read, behind all that is kept. */
  #room: Buffer | null = null;

  constructor(budget: SaveBudget, bytesMax: number) {
    this.#budget = budget;
    this.#bytesMax = bytesMax;
  }

  get full(): boolean {
    return this.#bytes >= this.#bytesMax || this.#budget.bytes >= this.#budget.bytesMax;
  }

  /** What came before anybody was sent it went beyond what may be kept. */
  get overdrawn(): boolean {
    return !this.mayKeep(0);
  }

  mayKeep(bytes: number): boolean {
    return this.#bytes + bytes <= this.#bytesMax && this.#budget.bytes + bytes <= this.#budget.bytesMax;
  }

  /** Where the next read may go. `left`: at least so many bytes will come. */
  room(left: number): Buffer {
    const block = this.#blockFor(roomBytesMin, left);
    this.#room = block.subarray(this.#end);
    return this.#room;
  }

  /** Keeps a further part, and gives it as it is kept; a copy where it was not read into the room. */
  keep(source: Buffer, from: number, to: number, left: number): Buffer {
    const length = to - from;
    const inPlace = source === this.#room ? this.#block : null;
    const block = inPlace ?? this.#blockFor(length, length + left);
    if (inPlace === null) source.copy(block, this.#end, from, to);
    const part = block.subarray(this.#end, this.#end + length);
    this.#end += length;
    this.#bytes += length;
    this.#budget.bytes += length;
    this.#room = null;
    this.parts.push(part);
    return part;
  }

  /** As below, while the body still comes: the part that was read last may lie in the block that is being filled. */
  stop(inUse: boolean): void {
    this.#block = null;
    this.release(inUse);
  }

  /** Nothing is kept any more. `inUse`: a write, or a read that is under way, may still need the blocks. */
  release(inUse: boolean): void {
    this.#budget.bytes -= this.#bytes;
    this.#bytes = 0;
    this.parts.length = 0;
    if (this.#block !== null) this.#filled.push(this.#block);
    this.#block = null;
    if (!inUse) for (const block of this.#filled) giveBack(block);
    this.#filled.length = 0;
  }

  #blockFor(bytes: number, left: number): Buffer {
    if (this.#block !== null) {
      if (this.#block.length - this.#end >= bytes) return this.#block;
      this.#filled.push(this.#block);
    }
    if (bytes > largeBlocks.bytes) this.#block = Buffer.allocUnsafeSlow(bytes);
    else this.#block = Math.max(bytes, left) <= smallBlockBytes && this.#filled.length === 0 ? smallBlocks.take() : largeBlocks.take();
    this.#end = 0;
    return this.#block;
  }
}
