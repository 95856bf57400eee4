/**
 * Whether those who stay could carry the load while one node is out (a regeneration in place; one that replaces takes nobody out). A
 * server's work is the time of its event loop, less that for collecting garbage: what ages works more for the same load, and a clean one would not.
 */
import type { InstanceId } from "../model/node.ts";
import type { Sample } from "../model/sample.ts";

/** Minutes of low load are seen; seconds of it are none. */
const memoryMs = 30_000;
/** Of what one event loop can do: from the first on the others are taken for full, until they would be below the second. */
const fullRatio = 0.9;
const roomyRatio = 0.8;

interface Work {
  readonly atMs: number;
  /** 0..1 */
  readonly ratio: number;
}

export class SpareCapacity {
  readonly #works = new Map<InstanceId, Work>();

  end(instance: InstanceId): void {
    this.#works.delete(instance);
  }

  add(instance: InstanceId, { atMs, indicators }: Pick<Sample, "atMs" | "indicators">): void {
    const { eventLoopUtilisationRatio, gcTimeRatio = 0 } = indicators;
    if (eventLoopUtilisationRatio === undefined) return;
    const ratio = Math.max(eventLoopUtilisationRatio - gcTimeRatio, 0);
    const before = this.#works.get(instance);
    const kept = before === undefined ? 0 : Math.exp(-Math.max(atMs - before.atMs, 0) / memoryMs);
    this.#works.set(instance, { atMs, ratio: kept * (before?.ratio ?? 0) + (1 - kept) * ratio });
  }

  /** Whether without one of these the others would be full; false where there is but one, null while it is not known of all of them. */
  isFull(serving: readonly InstanceId[], wasFull: boolean): boolean | null {
    if (serving.length < 2) return false;
    const works = serving.flatMap((id) => this.#works.get(id)?.ratio ?? []);
    if (works.length < serving.length) return null;
    const each = works.reduce((sum, work) => sum + work, 0) / (works.length - 1);
    return each > (wasFull ? roomyRatio : fullRatio);
  }
}
