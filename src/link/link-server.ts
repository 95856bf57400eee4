/**
 * The other side of a link: accepts framed connections on a Unix socket in a private directory. A peer
 * counts from its `hello` on, if protocol and token are right; until then, and if not, it is nobody and
 * is cut off after a while. If a peer of the same id connects again, the older connection is closed; one
 * that hangs and reads nothing is closed, too, before what waits for it fills the memory.
 */
import { chmodSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { controlProtocol, type Hello } from "../model/control.ts";
import { encodeFrame, type Frame, FrameDecoder } from "../wire/frame.ts";
import { gather } from "./gathering.ts";
import { tokenIsRight } from "./token.ts";

/** A server may block its loop for long while it loads: it says hello when it is through. */
const helloTimeoutMs = 60_000;
/** So much may wait for a peer: two of the longest frames. */
const unsentBytesMax = 64 * 1024 * 1024;

export interface Peer {
  readonly hello: Hello;
  send(head: object, body?: Uint8Array): void;
  /** Resolves when what was sent has left, or never will: for who sends much. */
  drained(): Promise<void>;
  close(): void;
}

export interface LinkServerOptions {
  readonly path: string;
  readonly clusterKey: string;
  readonly onPeer: (peer: Peer) => void;
  readonly onFrame: (peer: Peer, frame: Frame) => void;
  readonly onGone: (peer: Peer) => void;
  /** Frames leave at the end of the loop's turn, together. Default false: at once. */
  readonly gathers?: boolean;
}

export class LinkServer {
  readonly #options: LinkServerOptions;
  readonly #server: Server;
  readonly #connections = new Set<Connection>();

  constructor(options: LinkServerOptions) {
    this.#options = options;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** Resolves once peers can connect. A stale socket file of a process that died is replaced. */
  listen(): Promise<void> {
    rmSync(this.#options.path, { force: true });
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(this.#options.path, () => {
        // Who may enter the directory may connect, whatever the umask: the token decides.
        chmodSync(this.#options.path, 0o666);
        resolve();
      });
    });
  }

  close(): void {
    this.#server.close();
    for (const connection of this.#connections) connection.close();
  }

  #accept(socket: Socket): void {
    const connection = new Connection(socket, this.#options.clusterKey, this.#options.gathers === true, {
      onPeer: (peer) => {
        for (const other of this.#connections) {
          if (other !== peer && other.known?.id === peer.hello.id && other.known.role === peer.hello.role) other.close();
        }
        this.#options.onPeer(peer);
      },
      onFrame: this.#options.onFrame,
      onGone: this.#options.onGone,
    });
    this.#connections.add(connection);
    socket.on("close", () => this.#connections.delete(connection));
  }
}

class Connection implements Peer {
  readonly #socket: Socket;
  readonly #gathers: boolean;
  known: Hello | null = null;

  constructor(socket: Socket, clusterKey: string, gathers: boolean, on: Pick<LinkServerOptions, "onPeer" | "onFrame" | "onGone">) {
    this.#socket = socket;
    this.#gathers = gathers;
    const decoder = new FrameDecoder();
    const deadline = setTimeout(() => socket.destroy(), helloTimeoutMs);
    socket.on("data", (chunk: Buffer) => {
      try {
        for (const frame of decoder.push(chunk)) {
          if (this.known !== null) on.onFrame(this, frame);
          else if (isHello(frame.head) && tokenIsRight(clusterKey, frame.head.role, frame.head.id, frame.head.token)) {
            clearTimeout(deadline);
            this.known = frame.head;
            on.onPeer(this);
          } else socket.destroy();
        }
      } catch (error) {
        socket.destroy(error instanceof Error ? error : undefined);
      }
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      clearTimeout(deadline);
      if (this.known !== null) on.onGone(this);
    });
  }

  get hello(): Hello {
    if (this.known === null) throw new Error("a peer has said hello");
    return this.known;
  }

  send(head: object, body?: Uint8Array): void {
    if (!this.#socket.writable) return;
    if (this.#socket.writableLength > unsentBytesMax) return this.close();
    if (this.#gathers) gather(this.#socket);
    this.#socket.write(encodeFrame(head, body));
  }

  drained(): Promise<void> {
    if (this.#socket.destroyed || !this.#socket.writableNeedDrain) return Promise.resolve();
    return new Promise((resolve) => {
      const settle = () => {
        this.#socket.off("drain", settle).off("close", settle);
        resolve();
      };
      this.#socket.on("drain", settle).on("close", settle);
    });
  }

  close(): void {
    this.#socket.destroy();
  }
}

function isHello(head: unknown): head is Hello {
  const hello = head as Partial<Hello> | null; // checked field by field: it comes from outside
  return (
    hello?.kind === "hello" &&
    hello.protocol === controlProtocol &&
    typeof hello.id === "string" &&
    typeof hello.token === "string" &&
    (hello.role === "forwarder" || hello.role === "replicator" || hello.role === "instance")
  );
}
