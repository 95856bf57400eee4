/**
 * A connection to one instance: it carries one request at a time and is kept for the next. What it reads
 * lies in its block from `from` to `to` and grows at the end until its user has taken it; so an answer that
 * is held until whole lies in one piece and was never copied.
 */
import { AnswerHead } from "../wire/answer-head.ts";
import { BodyReader } from "../wire/body.ts";
import { frontBytes, giveBack, largeBlocks, smallBlockBytes, smallBlocks } from "./blocks.ts";
import { HearingSocket } from "./hearing-socket.ts";
import type { UpstreamAddress } from "./upstream-address.ts";

export interface UpstreamUser {
  /** More lies between `from` and `to`. */
  upstreamRead(): void;
  /** No more will come. `error` is null where the other side ended in order. */
  upstreamEnded(error: NodeJS.ErrnoException | null): void;
}

/** Something that was written to. */
export interface Flushing {
  afterFlush(then: () => void): void;
}

/** Reading into less is not worth the call. */
const roomBytesMin = 4 * 1024;
const nothing = Buffer.alloc(0);

/** As the kernel would say it. */
function connectTimedOut(): NodeJS.ErrnoException {
  return Object.assign(new Error("connect ETIMEDOUT"), { code: "ETIMEDOUT", syscall: "connect" });
}

export class UpstreamConnection {
  /** Who has it; null while nobody does. */
  user: UpstreamUser | null = null;
  readonly head = new AnswerHead();
  readonly body = new BodyReader();
  block: Buffer = smallBlocks.take();
  from = frontBytes;
  to = frontBytes;
  /** How far its user has looked. */
  scanned = frontBytes;
  /** Since when nobody has it. */
  idleSinceMs = 0;
  readonly #socket: HearingSocket;
  readonly #onClose: (connection: UpstreamConnection) => void;
  /** The block behind its front, made once: most reads go there. */
  #behindFront: Buffer = this.block.subarray(frontBytes);
  #readAt = frontBytes;
  #lent = false;
  #filled = false;
  #error: NodeJS.ErrnoException | null = null;
  #gone = false;
  #released = false;

  /** A TCP connection must stand within `connectTimeoutMs`: the kernel itself would try an address that is silent for minutes. */
  constructor(address: UpstreamAddress, connectTimeoutMs: number, onClose: (connection: UpstreamConnection) => void) {
    this.#onClose = onClose;
    const socket = new HearingSocket({
      allowHalfOpen: true,
      onread: {
        buffer: () => this.#room(),
        callback: (length) => {
          this.#read(length);
          return true;
        },
      },
    });
    this.#socket = socket;
    socket.on("error", (error: NodeJS.ErrnoException) => {
      this.#error = error;
    });
    socket.on("end", () => this.#end(null));
    socket.on("close", () => this.#end(this.#error));
    if ("path" in address) socket.connect(address.path);
    else {
      socket.setNoDelay(true).connect(address.port, address.host);
      const late = setTimeout(() => socket.destroy(connectTimedOut()), connectTimeoutMs);
      socket.once("connect", () => clearTimeout(late)).once("close", () => clearTimeout(late));
    }
  }

  /** It is of no use for a further request. */
  get destroyed(): boolean {
    return this.#socket.destroyed || this.#socket.unheard;
  }

  /** Its end came in order, though a write had failed before. */
  get heardOut(): boolean {
    return this.#socket.heardOut;
  }

  /** False while the write is under way; the bytes must stay as they are until it is done. */
  write(bytes: Buffer): boolean {
    if (!this.#socket.unheard) this.#socket.write(bytes);
    return this.flushed;
  }

  /** As one write. */
  writeAll(first: Buffer, others: readonly Buffer[]): boolean {
    if (this.#socket.unheard) return true;
    this.#socket.cork();
    this.#socket.write(first);
    for (const bytes of others) this.#socket.write(bytes);
    this.#socket.uncork();
    return this.flushed;
  }

  get flushed(): boolean {
    return this.#socket.writableLength === 0 || this.#socket.unheard;
  }

  get unsentBytes(): number {
    return this.#socket.writableLength;
  }

  /** Calls when all that was written before has left, or never will. */
  afterFlush(then: () => void): void {
    if (this.#socket.unheard) process.nextTick(then);
    else this.#socket.write(nothing, () => then());
  }

  /** Calls when its other side has it, which may be never; at once where it has. */
  onceConnected(then: () => void): void {
    if (this.#socket.connecting) this.#socket.once("connect", then);
    else then();
  }

  endWriting(): void {
    this.#socket.end();
  }

  onceClosed(then: () => void): void {
    this.#socket.once("close", then);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** `blockInUse`: a write elsewhere still needs what lies in the block. */
  destroy(blockInUse = false): void {
    this.#socket.destroy();
    if (!this.#released && !blockInUse && !this.#lent) giveBack(this.block);
    this.#released = true;
  }

  /** When its other side has taken what was written, which may be so late at most. */
  destroyFlushed(withinMs: number, blockInUse: boolean): void {
    const late = setTimeout(() => this.destroy(blockInUse), withinMs);
    this.onceClosed(() => clearTimeout(late));
    this.afterFlush(() => this.destroy(blockInUse));
  }

  /** Everything up to `to` was taken. */
  taken(): void {
    this.from = this.to;
  }

  /** What was read is being written elsewhere and still needed: reading rests, and goes on in another block. Only while reading. */
  holdUntilFlushed(reader: Flushing): void {
    this.lendUntilFlushed(reader);
    this.pause();
    reader.afterFlush(() => this.resume());
  }

  /** As above, but reading goes on. Only while reading: a place that was given out before lies in the block. */
  lendUntilFlushed(reader: Flushing): void {
    const { block } = this;
    this.#lent = true;
    reader.afterFlush(() => giveBack(block));
  }

  /** The next read's place. */
  #room(): Buffer {
    if (this.#released) return this.#behindFront;
    if (this.#lent) {
      this.#lent = false;
      this.#use(this.#filled ? largeBlocks.take() : smallBlocks.take());
    } else if (this.from === this.to) {
      if (this.#filled && this.block.length === smallBlockBytes) {
        smallBlocks.give(this.block);
        this.#use(largeBlocks.take());
      } else {
        this.from = frontBytes;
        this.to = frontBytes;
      }
    } else if (this.block.length - this.to < roomBytesMin) this.#grow();
    this.#readAt = this.to;
    return this.to === frontBytes ? this.#behindFront : this.block.subarray(this.to);
  }

  #use(block: Buffer): void {
    this.block = block;
    this.#behindFront = block.subarray(frontBytes);
    this.from = frontBytes;
    this.to = frontBytes;
  }

  /** A held answer that is longer: it moves into a larger block, whole; one that begins behind others (100, 103), to the front of its own. */
  #grow(): void {
    const old = this.block;
    const length = this.to - this.from;
    let block = old;
    if (2 * length > old.length) block = old.length === smallBlockBytes ? largeBlocks.take() : Buffer.allocUnsafeSlow(2 * old.length);
    old.copy(block, frontBytes, this.from, this.to);
    this.scanned -= this.from - frontBytes;
    this.#use(block);
    this.to = frontBytes + length;
    if (block !== old) giveBack(old);
  }

  #read(length: number): void {
    if (this.from === this.to) {
      this.from = this.#readAt;
      this.scanned = this.#readAt;
    }
    this.to = this.#readAt + length;
    this.#filled ||= this.to === this.block.length;
    // Nobody asked: such bytes could be taken for the answer to the next request.
    if (this.user === null) this.destroy();
    else this.user.upstreamRead();
  }

  #end(error: NodeJS.ErrnoException | null): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#onClose(this);
    const { user } = this;
    user?.upstreamEnded(error);
    if (this.user === null) this.destroy();
  }
}
