/** Latencies of one upstream since the last look, in buckets a fifth apart: small, and exact enough for p50 and p99. */

const bucketRatio = 1.2;
const firstMs = 0.05;
const buckets = 80;

export class Latencies {
  readonly #counts = new Uint32Array(buckets);
  #total = 0;

  add(ms: number): void {
    const at = ms <= firstMs ? 0 : Math.ceil(Math.log(ms / firstMs) / Math.log(bucketRatio));
    const bucket = Math.min(at, buckets - 1);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#total += 1;
  }

  /** The q-quantile's upper bucket bound, milliseconds; null if nothing was added since `reset`. */
  quantileMs(q: number): number | null {
    if (this.#total === 0) return null;
    let left = Math.ceil(q * this.#total);
    for (let at = 0; at < buckets; at += 1) {
      left -= this.#counts[at] ?? 0;
      if (left <= 0) return firstMs * bucketRatio ** at;
    }
    return firstMs * bucketRatio ** (buckets - 1);
  }

  reset(): void {
    this.#counts.fill(0);
    this.#total = 0;
  }
}
