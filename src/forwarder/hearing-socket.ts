/**
 * A socket whose other side may have stopped reading: an early answer (413, 401 ...) and the end of the connection come
 * while the request is still being written. Node's socket ends with the first write that fails, and what lay there to be
 * read is gone with it. This one goes on reading up to the end, and takes no more writes.
 */
import { Socket } from "node:net";

/** What was said before is there by now. The end of it is there too, mostly. */
const hearMs = 1_000;

export class HearingSocket extends Socket {
  /** Nobody reads what is written. */
  unheard = false;
  /** All that was said was heard, up to an end in order. */
  heardOut = false;
  #failure: NodeJS.ErrnoException | undefined;

  override destroy(error?: NodeJS.ErrnoException): this {
    if (error?.syscall !== "write" || this.unheard || this.destroyed) return super.destroy(error);
    this.unheard = true;
    this.#failure = error;
    const late = setTimeout(() => super.destroy(error), hearMs);
    return this.once("close", () => clearTimeout(late));
  }

  /** A socket whose write failed does not tell its end. */
  override push(chunk: Uint8Array | null, encoding?: BufferEncoding): boolean {
    if (chunk !== null || !this.unheard) return super.push(chunk, encoding);
    this.heardOut = true;
    super.destroy(this.#failure);
    return false;
  }
}
