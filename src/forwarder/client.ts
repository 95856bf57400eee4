/**
 * What an exchange asks of the one that it serves: a connection of HTTP/1.1 (client-connection.ts) or a stream of
 * HTTP/2 (http2-stream.ts). What it writes is HTTP/1.1 for both: each head in one piece, each body as its head says.
 */
import type { ListenerId } from "../model/node.ts";
import type { Upstream } from "../routing/upstream-table.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { ClientFacts } from "./headers.ts";
import type { TunnelOptions } from "./tunnel.ts";
import type { Flushing, UpstreamConnection } from "./upstream-connection.ts";

/** What all clients of one listener share. */
export interface ClientContext {
  readonly dispatcher: Dispatcher;
  readonly listener: ListenerId;
  /** Coarse: set before each sweep over the connections, to when the next is due. */
  readonly nowMs: number;
  /** No further request on any connection. */
  readonly finishing: boolean;
}

/** A server's connection on which a client has said who it is, for all requests that follow (NTLM, Negotiate): no other's may go there. */
export interface Pinned {
  readonly upstream: Upstream;
  readonly connection: UpstreamConnection;
}

export interface Client extends Flushing {
  readonly facts: ClientFacts;
  /** The end of the private header's line. */
  readonly addressLine: Buffer;
  /** The request's body. `left`: at least so many bytes of it will come. */
  readonly body: { readonly done: boolean; readonly left: number };
  /** It closed its side: no more of the body will come. */
  readonly hasEnded: boolean;
  readonly bytesWritten: number;
  readonly finishing: boolean;
  /** It asks for another protocol as HTTP/2 does: there any answer of success agrees to it (RFC 8441 §5). */
  readonly asksByConnect: boolean;
  /** Its answers' heads say what becomes of its connection; in HTTP/2 no line is added to a head, which is read once more as it is. */
  readonly hearsOfConnection: boolean;
  /** What was written has left, or was copied and is not too much. */
  readonly flushed: boolean;
  /** False while it has not left; the bytes must stay as they are until then. */
  write(bytes: Buffer): boolean;
  /** Reading the request's body rests. */
  pause(): void;
  resume(): void;
  /** The client was told to go on: from here on its body is awaited. */
  awaitBody(): void;
  /** What was written is not all: the client must see that. */
  destroy(): void;
  /** Keeps it for its next request, and ends it with its own connection. */
  pin(pinned: Pinned): void;
  /** Where the connection that it keeps goes; null: there is none. */
  readonly pinnedTo: Upstream | null;
  takePinned(): Pinned | null;
  /** The exchange is over. `keep`: its request was read to the end, and another may follow. */
  exchangeDone(keep: boolean): void;
  /** The server has agreed to another protocol. */
  becomeTunnel(options: TunnelOptions): void;
}
