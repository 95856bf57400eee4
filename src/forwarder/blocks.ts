/**
 * Blocks of memory that connections read into and requests are kept in, used again and again. A block that
 * a write still needs is not given back before that write is done; giving back too late costs memory,
 * too early another client's bytes.
 */

/** In front of what is read: room for a line that an answer's head may be given. */
export const frontBytes = 64;
/** For most answers, and for a tunnel's small messages. */
export const smallBlockBytes = frontBytes + 16 * 1024;
/**
 * For bodies that stream: fewer calls, measured as the best size, and a little more, so that the head before a body of 256 KiB
 * or 1 MiB leaves no remainder behind it that needs calls of its own. Pages that nothing was read into cost nothing.
 */
const largeBlockBytes = frontBytes + (256 + 4) * 1024;

export class Blocks {
  readonly bytes: number;
  readonly #keptMax: number;
  readonly #free: Buffer[] = [];

  constructor(bytes: number, keptMax: number) {
    this.bytes = bytes;
    this.#keptMax = keptMax;
  }

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.bytes);
  }

  /** Blocks of another size were made for one answer, and go. */
  give(block: Buffer): void {
    if (block.length === this.bytes && this.#free.length < this.#keptMax) this.#free.push(block);
  }
}

export const smallBlocks = new Blocks(smallBlockBytes, 1_024);
export const largeBlocks = new Blocks(largeBlockBytes, 64);

export function giveBack(block: Buffer): void {
  (block.length === smallBlockBytes ? smallBlocks : largeBlocks).give(block);
}
