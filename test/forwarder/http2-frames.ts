/** A client of HTTP/2 that sends frames of its own making, and hears frames. */
import { once } from "node:events";
import { connect, type TLSSocket } from "node:tls";
import type { Stage } from "./stage.ts";

export const frameType = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goAway: 7, window: 8, continuation: 9 } as const;
export const endStream = 0x1;
export const endHeaders = 0x4;

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

export function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** Fields as HPACK's plainest form: literals, not indexed, names new, no Huffman code. */
export function fields(of: Readonly<Record<string, string>>): Buffer {
  const parts: Buffer[] = [];
  for (const [name, value] of Object.entries(of))
    parts.push(Buffer.from([0, name.length]), Buffer.from(name, "latin1"), Buffer.from([value.length]), Buffer.from(value, "latin1"));
  return Buffer.concat(parts);
}

export const get = (path: string) => fields({ ":method": "GET", ":scheme": "https", ":path": path, ":authority": "x" });

/** As many streams as a client may have ended by a reset since then; see src/forwarder/http2-patience.ts. */
export const resetsAllowed = (beganMs: number) => 1_000 + (33 * (performance.now() - beganMs)) / 1_000;

export class FrameClient {
  readonly socket: TLSSocket;
  readonly frames: Frame[] = [];
  ended = false;
  #heard: Buffer = Buffer.alloc(0);

  private constructor(socket: TLSSocket) {
    this.socket = socket;
    socket.on("error", () => {});
    socket.on("end", () => this.#end());
    socket.on("close", () => this.#end());
    socket.on("data", (bytes: Buffer) => this.#hear(bytes));
  }

  /** One that has agreed on HTTP/2 and sent its preface and settings. */
  static async open({ port }: Stage, settings: Buffer = Buffer.alloc(0)): Promise<FrameClient> {
    const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false, ALPNProtocols: ["h2"] });
    const client = new FrameClient(socket);
    await once(socket, "secureConnect");
    socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    return client.send(frame(frameType.settings, 0, 0, settings));
  }

  send(...frames: readonly Buffer[]): this {
    this.socket.write(Buffer.concat(frames));
    return this;
  }

  of(type: number, stream: number): Frame | undefined {
    return this.frames.find((one) => one.type === type && one.stream === stream);
  }

  /** The code with which a stream was reset, or the whole session ended; null: it was not. */
  codeOf(stream: number): number | null {
    if (stream > 0) return this.of(frameType.reset, stream)?.payload.readUInt32BE(0) ?? null;
    return this.of(frameType.goAway, 0)?.payload.readUInt32BE(4) ?? null;
  }

  #end(): void {
    this.ended = true;
  }

  #hear(bytes: Buffer): void {
    this.#heard = Buffer.concat([this.#heard, bytes]);
    for (;;) {
      const length = this.#heard.length < 9 ? Number.POSITIVE_INFINITY : this.#heard.readUIntBE(0, 3);
      if (this.#heard.length < 9 + length) return;
      const [type = 0, flags = 0] = this.#heard.subarray(3, 5);
      this.frames.push({ type, flags, stream: this.#heard.readUInt32BE(5), payload: this.#heard.subarray(9, 9 + length) });
      this.#heard = this.#heard.subarray(9 + length);
    }
  }
}
