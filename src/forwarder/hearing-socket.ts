/**
 * A socket whose other side may have stopped reading: an early answer (413, 401 ...) and the end of the connection come
 * while the request is still being written. Node's socket ends with the first write that fails, and what lay there to be
 * read is gone with it. This one goes on reading, and takes no more writes.
 */
import { Socket } from "node:net";

/** What was said before is there by now. The end of it is a reset mostly; an end in order is not told any more. */
const hearMs = 1_000;

export class HearingSocket extends Socket {
  /** Nobody reads what is written. */
  unheard = false;

  override destroy(error?: NodeJS.ErrnoException): this {
    if (error?.syscall !== "write" || this.unheard || this.destroyed) return super.destroy(error);
    this.unheard = true;
    const late = setTimeout(() => super.destroy(error), hearMs);
    return this.once("close", () => clearTimeout(late));
  }
}
