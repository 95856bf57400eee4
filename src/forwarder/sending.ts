/**
 * One request on its way to its servers, the counterpart of answering.ts: what is saved of it is written to
 * each attempt's connection; what still comes of its body is passed on, and saved while it may have to be
 * sent again. The client is held back while a server takes nothing, or too little. A server may answer
 * before it has all: the connection stays the request's until the body has come too, and is no other client's then.
 */

import type { Upstream } from "../routing/upstream-table.ts";
import type { RequestHead } from "../wire/request-head.ts";
import type { Client } from "./client.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { SavedRequest } from "./saved-request.ts";
import type { UpstreamConnection } from "./upstream-connection.ts";
import type { UpstreamPool } from "./upstream-pool.ts";

/** A server's read takes at least so much at once: a shorter request of which a part was not read was not read at all. */
const oneReadBytes = 16 * 1024;
/** What is saved may lie ready while the server takes what came before, up to here. */
const aheadBytesMax = 256 * 1024;

export class Sending {
  readonly request: SavedRequest;
  /** Where it is being written. */
  connection: UpstreamConnection | null = null;
  /** It went to the server as one piece that one read takes. */
  inOneRead = false;
  readonly #client: Client;
  readonly #bodyTimeoutMs: number;
  #pool: UpstreamPool | null = null;
  /** The answer was whole before the body: what of that came later the server may take for a next request. */
  #answeredEarly = false;

  constructor(dispatcher: Dispatcher, client: Client, head: RequestHead, source: Buffer) {
    const { headBlocks, saveBudget, settings, clientLineBytes } = dispatcher;
    const prefixBytes = clientLineBytes + client.addressLine.length;
    this.#client = client;
    this.#bodyTimeoutMs = settings.bodyTimeoutMs;
    this.request = new SavedRequest(head, source, prefixBytes, headBlocks, saveBudget, settings.saveBodyBytesMax);
  }

  /** The body is passed on and not kept. */
  get streams(): boolean {
    return !this.request.whole && this.connection !== null;
  }

  /** Nothing of it is on its way any more. */
  get flushed(): boolean {
    return this.connection?.flushed !== false;
  }

  /** An attempt begins: all that is there is written. */
  begin(connection: UpstreamConnection, pool: UpstreamPool): void {
    const { request } = this;
    const client = this.#client;
    this.connection = connection;
    this.#pool = pool;
    const { first } = request;
    this.inOneRead = request.inOnePiece && client.body.done && first.length <= oneReadBytes;
    const flushed = request.inOnePiece ? connection.write(first) : connection.writeAll(first, request.parts);
    if (request.whole && request.overdrawn) connection.onceConnected(() => this.#keepNoMore(connection));
    if (client.body.done) return;
    if (flushed) client.resume();
    else this.#waitFor(connection);
  }

  /** Where a further part of the body may be read to, to be kept there; null where it is not kept. */
  get room(): Buffer | null {
    return this.request.whole ? this.request.room(this.#client.body.left) : null;
  }

  /** `lasting`: the bytes stay as they are until reading goes on; else they are the caller's again. */
  bodyRead(bytes: Buffer, from: number, to: number, lasting: boolean): void {
    const { connection, request } = this;
    const { body } = this.#client;
    if (connection !== null) {
      const keeps = request.mayKeep(to - from);
      if (!keeps && request.whole) request.keepNoMore(!connection.flushed);
      const part = keeps ? request.keep(bytes, from, to, body.left) : bytes.subarray(from, to);
      const flushed = connection.write(keeps || lasting ? part : Buffer.from(part));
      if (!flushed && (!keeps || connection.unsentBytes > aheadBytesMax)) this.#waitFor(connection);
    } else if (request.whole) {
      // Nobody has been sent it yet: all of it is needed, so the bound is kept by letting the client wait.
      request.keep(bytes, from, to, body.left);
      if (request.full && !body.done) this.#client.pause();
    }
  }

  /** The answer is whole; its connection may have gone with it. */
  answered(): void {
    this.#answeredEarly = !this.#client.body.done;
    if (this.#answeredEarly) this.request.keepNoMore(!this.flushed);
    if (this.connection?.user === null) this.connection = null;
  }

  /** The attempt's connection is useless. */
  drop(): void {
    const { connection } = this;
    this.connection = null;
    if (connection === null) return;
    connection.user = null;
    // What it wrote of an answer may still be on its way to the client.
    connection.destroy(!this.#client.flushed);
  }

  /** Its server may do its work with what of the body it has still to take (202). */
  #dropFlushed(connection: UpstreamConnection): void {
    this.connection = null;
    connection.user = null;
    connection.destroyFlushed(this.#bodyTimeoutMs, !this.#client.flushed);
  }

  /**
   * Request and answer are complete. `reusable`: the connection is between two requests, as far as the answer goes.
   * `pinTo`: no other client may have it.
   */
  finish(reusable: boolean, pinTo: Upstream | null): void {
    const { connection, flushed } = this;
    const { done } = this.#client.body;
    if (connection !== null) {
      const mayBeMisread = this.#answeredEarly && pinTo === null;
      const isWhole = reusable && done && !connection.destroyed;
      if (isWhole && !flushed) this.#dropFlushed(connection);
      else if (!isWhole || mayBeMisread) this.drop();
      else if (pinTo === null) this.#pool?.give(connection, performance.now());
      else {
        this.#pool?.pin(connection, performance.now());
        this.#client.pin({ upstream: pinTo, connection });
      }
    }
    this.request.release(!flushed || !done);
  }

  /** More than may be kept is on its way to a server; before that, another one may still need it. */
  #keepNoMore(connection: UpstreamConnection): void {
    if (this.connection === connection && this.request.whole) this.request.keepNoMore(!connection.flushed);
  }

  #waitFor(connection: UpstreamConnection): void {
    this.#client.pause();
    connection.afterFlush(() => {
      if (!this.#waitsForNext(connection)) this.#client.resume();
    });
  }

  /** That one is gone, and so much is kept for the next that nothing more is read until it has some of it. */
  #waitsForNext(last: UpstreamConnection): boolean {
    const gone = this.connection !== last || last.destroyed;
    return gone && this.request.whole && this.request.full;
  }
}
