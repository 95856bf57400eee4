/**
 * The instance's side of the session protocol: numbered requests over one link, sent again after a
 * reconnect, failed after the store's deadline. The tally of acknowledged writes is per connection, as the
 * replicator's is: what an earlier connection acknowledged is durable already. What is acknowledged after
 * its deadline is in both, so that the next hand-off agrees.
 */
import { helloOf, Link } from "../../link/link.ts";
import type { InstanceBirth } from "../../model/birth.ts";
import type { SessionAnswer, SessionRequest } from "../../model/session.ts";
import { Tally } from "../../state/tally.ts";
import { encodeFrame, type Frame } from "../../wire/frame.ts";
import { Copies } from "./copies.ts";

type WithoutNumber<T> = T extends unknown ? Omit<T, "n"> : never;
export type Operation = WithoutNumber<SessionRequest>;

export interface Answered {
  readonly answer: SessionAnswer;
  readonly text: string;
  /** Of `all`: the records that came before. */
  readonly records: readonly { readonly id: string; readonly text: string; readonly expiresAtMs: number | null }[];
}

interface Pending {
  readonly request: SessionRequest;
  /** Null: its caller was told that it came too late; the answer is still counted. */
  frame: Uint8Array | null;
  readonly records: { id: string; text: string; expiresAtMs: number | null }[];
  readonly resolve: (answered: Answered) => void;
  readonly timer: NodeJS.Timeout;
}

export class StoreClient {
  readonly copies = new Copies();
  #birth: InstanceBirth | null = null;
  readonly #pending = new Map<number, Pending>();
  #link: Link | null = null;
  #next = 1;
  #tally = new Tally();
  /** Looked at again with each answer. */
  readonly #flushes: (() => void)[] = [];

  /** Before this there is nobody to call: in a process that never begins, nothing may be called. */
  begin(birth: InstanceBirth): void {
    this.#birth = birth;
  }

  /** Rejects if it is too long, if the replicator cannot do it, or does not answer within the store's deadline. */
  async call(operation: Operation, body?: Uint8Array): Promise<Answered> {
    const request = { ...operation, n: this.#next } as SessionRequest; // an Operation is a request less its number
    const frame = encodeFrame(request, body);
    this.#next += 1;
    const link = this.#connect();
    return new Promise((resolve, reject) => {
      const { sessionStoreTimeoutMs } = this.#born();
      const timer = setTimeout(() => {
        this.#giveUp(request.n);
        reject(new Error(`the session store did not answer within ${sessionStoreTimeoutMs} ms`));
      }, sessionStoreTimeoutMs);
      const settle = (answered: Answered) => {
        const { answer } = answered;
        if (answer.kind === "refused" || answer.kind === "failed")
          reject(new Error(`the session store ${answer.kind} it: ${answer.reason}`));
        else resolve(answered);
      };
      this.#pending.set(request.n, { request, frame, records: [], resolve: settle, timer });
      link.sendFrame(frame);
    });
  }

  /**
   * Resolves when no operation that was called before is unanswered, with what this connection had acknowledged. What is
   * called meanwhile it does not wait for: background work may never pause.
   */
  async flush(): Promise<{ writes: number; checksum: string }> {
    const next = this.#next;
    while (this.#oldest() < next) await new Promise<void>((resolve) => this.#flushes.push(resolve));
    // Without a connection there is none: the next one's begins anew.
    const { writes, checksum } = this.#link?.up === true ? this.#tally : new Tally();
    return { writes, checksum };
  }

  /** The number of the call that waits the longest; where none does, the next one's. */
  #oldest(): number {
    const [oldest = this.#next] = this.#pending.keys();
    return oldest;
  }

  /** Connected at the first use: an application without sessions has no connection. */
  #connect(): Link {
    const { storeSocket, instance, token } = this.#born();
    this.#link ??= new Link({
      path: storeSocket,
      hello: helloOf("instance", instance, token),
      gathers: true,
      unsentBytesMax: Number.POSITIVE_INFINITY, // requests that wait have their deadline, and are sent again
      onUp: () => this.#sendAgain(),
      onFrame: (frame) => this.#heard(frame),
    });
    return this.#link;
  }

  #born(): InstanceBirth {
    if (this.#birth === null) throw new Error("the store is asked before the instance was born");
    return this.#birth;
  }

  #sendAgain(): void {
    this.#tally = new Tally();
    for (const [n, { frame, records }] of this.#pending) {
      records.length = 0;
      if (frame === null) this.#forget(n);
      else this.#link?.sendFrame(frame);
    }
  }

  /** A replicator that reads but does not answer may still do it (its disk is full); one that does not even read hangs. */
  #giveUp(n: number): void {
    const pending = this.#pending.get(n);
    if (pending !== undefined) pending.frame = null;
    if (this.#link?.up !== true) this.#forget(n);
    else if (this.#link.unsentBytes > 0) this.#link.reset();
  }

  #heard({ head, body }: Frame): void {
    const answer = head as SessionAnswer; // the replicator, on its private socket
    const pending = this.#pending.get(answer.n);
    if (pending === undefined) return;
    const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("utf8");
    if (pending.request.kind === "all" && answer.kind === "record") {
      pending.records.push({ id: answer.id, text, expiresAtMs: answer.expiresAtMs });
      return;
    }
    if (answer.kind === "written" && (pending.request.kind === "write" || pending.request.kind === "put"))
      this.#tally.add(pending.request.store, pending.request.id, answer.version);
    this.#forget(answer.n);
    pending.resolve({ answer, text, records: pending.records });
  }

  #forget(n: number): void {
    const pending = this.#pending.get(n);
    if (pending === undefined) return;
    clearTimeout(pending.timer);
    this.#pending.delete(n);
    for (const resolve of this.#flushes.splice(0)) resolve();
  }
}
