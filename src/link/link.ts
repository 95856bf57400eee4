/**
 * A link: framed messages over one Unix socket, from the side that connects. It connects again for ever
 * when the other side goes away, with a growing pause, and says `hello` each time: whoever owns the link
 * then tells its level again. Nothing is queued while the link is down; `send` says whether it was sent.
 * The other side may hang and read nothing: what waits for it is bounded, too.
 *
 * Runs in the user's process too: Node ≥ 18.19, no dependency, and it never keeps a process alive
 * unless asked to (`keepAlive`).
 */
import { connect, type Socket } from "node:net";
import { controlProtocol, type Hello, type PeerRole } from "../model/control.ts";
import { encodeFrame, type Frame, FrameDecoder } from "../wire/frame.ts";
import { gather } from "./gathering.ts";

const retryMsMin = 20;
/** Requests wait for the other side's new process, which is there within a few of these. */
const retryMsMax = 100;
/** Hours of samples. */
const unsentBytesMax = 8 * 1024 * 1024;

/** What this process says of itself on each connection. */
export function helloOf(role: PeerRole, id: string, token: string): Hello {
  return { kind: "hello", protocol: controlProtocol, role, id, token, pid: process.pid };
}

export interface LinkOptions {
  readonly path: string;
  readonly hello: Hello;
  readonly onFrame: (frame: Frame) => void;
  /** Connected and `hello` sent. */
  readonly onUp?: () => void;
  /** True: an open link keeps the process alive. Default false. */
  readonly keepAlive?: boolean;
  /** So much may wait to leave before the connection is made anew, without it. */
  readonly unsentBytesMax?: number;
  /** Frames leave at the end of the loop's turn, together. Default false: at once. */
  readonly gathers?: boolean;
}

export class Link {
  readonly #options: LinkOptions;
  #socket: Socket | null = null;
  #up = false;
  #closed = false;
  #retryMs = retryMsMin;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#connect();
  }

  get up(): boolean {
    return this.#up;
  }

  /** What was sent and has not left: a side that reads takes it at once. */
  get unsentBytes(): number {
    return this.#socket?.writableLength ?? 0;
  }

  /** False if the link is down: nothing was sent, and nothing will be. */
  send(head: object, body?: Uint8Array): boolean {
    return this.sendFrame(encodeFrame(head, body));
  }

  /** The same for a frame that was encoded before. */
  sendFrame(frame: Uint8Array): boolean {
    if (!this.#up || this.#socket === null) return false;
    if (this.unsentBytes > (this.#options.unsentBytesMax ?? unsentBytesMax)) {
      this.reset();
      return false;
    }
    if (this.#options.gathers === true) gather(this.#socket);
    this.#socket.write(frame);
    return true;
  }

  /** Ends for good after what was sent has left. */
  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#socket?.end();
  }

  /** Drops the connection with all that has not left, as where the other side hangs; connects again unless closed. */
  reset(): void {
    this.#up = false;
    this.#socket?.destroy();
  }

  #connect(): void {
    const socket = connect(this.#options.path);
    const decoder = new FrameDecoder();
    this.#socket = socket;
    if (this.#options.keepAlive !== true) socket.unref();
    socket.on("connect", () => {
      this.#up = true;
      this.#retryMs = retryMsMin;
      this.send(this.#options.hello);
      this.#options.onUp?.();
    });
    socket.on("data", (chunk: Buffer) => {
      try {
        for (const frame of decoder.push(chunk)) this.#options.onFrame(frame);
      } catch (error) {
        socket.destroy(error instanceof Error ? error : undefined);
      }
    });
    socket.on("error", () => {});
    socket.on("close", () => this.#lost());
  }

  #lost(): void {
    this.#up = false;
    this.#socket = null;
    if (this.#closed) return;
    this.#timer = setTimeout(() => this.#connect(), this.#retryMs);
    if (this.#options.keepAlive !== true) this.#timer.unref();
    this.#retryMs = Math.min(this.#retryMs * 2, retryMsMax);
  }
}
