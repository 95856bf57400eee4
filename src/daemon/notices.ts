/**
 * Notices: what the operator should know of the application, or mend in it. Every instance says the same of it, and
 * says it again to each monitor: it is told once. It stands as long as an instance that lives says so.
 *
 * Secrets are compared here by their fingerprints: instances of the same release that were set up with
 * different ones have drawn them at random.
 */
import type { NoticeLevel } from "../model/control.ts";
import type { ClusterEvent, EventDraft } from "../model/events.ts";
import type { InstanceId } from "../model/node.ts";

export interface Notice {
  readonly level: NoticeLevel;
  readonly code: string;
  readonly text: string;
  /** What it says each time, where the text says more (a line of an output, a time); default: the text. */
  readonly subject?: string;
}

interface Standing extends Notice {
  readonly saidBy: Set<InstanceId>;
}

/** Releases come and go: the fingerprints of the latest ones are kept. */
const fingerprintsMax = 1_000;
/** Of what was told the latest is known: some say where and when, each time in other words. */
const toldMax = 1_000;
const adviceMax = 20;

export class Notices {
  readonly #standing = new Map<string, Standing>();
  readonly #told: Set<string>;
  /** The latest of this monitor's life. */
  readonly #advice = new Map<string, string>();
  /** The last fingerprint of a release's secret. */
  readonly #last = new Map<string, string>();

  /** `earlier`: what was told before this monitor's life. */
  constructor(earlier: readonly ClusterEvent[]) {
    const told = earlier.filter(({ kind, instance }) => kind === "notice" && instance === undefined);
    this.#told = new Set(told.map(({ facts, text }) => keyOf(String(facts["code"]), String(facts["subject"] ?? text))));
  }

  /** The event that tells it; null if that was done. */
  hear(peer: string, { level, code, text }: Notice): EventDraft | null {
    const facts = { level, code };
    if (level === "warning") return { kind: "notice", instance: peer, text: `${peer}: ${text}`, facts };
    const key = keyOf(code, text);
    const standing = this.#standing.get(key) ?? { level, code, text, saidBy: new Set() };
    standing.saidBy.add(peer);
    this.#standing.set(key, standing);
    return this.tellOnce({ level, code, text });
  }

  /** For what nobody says that lives. */
  tellOnce({ level, code, text, subject }: Notice): EventDraft | null {
    const key = keyOf(code, subject ?? text);
    if (level === "advice") this.#advice.set(key, text);
    forgetOldest(this.#advice, adviceMax);
    if (this.#told.has(key)) return null;
    this.#told.add(key);
    forgetOldest(this.#told, toldMax);
    return { kind: "notice", text, facts: { level, code, ...(subject === undefined ? {} : { subject }) } };
  }

  compare(instance: InstanceId, release: string, name: string, value: string): EventDraft | null {
    const key = keyOf(release, name);
    const last = this.#last.get(key);
    this.#last.set(key, value); // one that was changed on purpose is told once
    forgetOldest(this.#last, fingerprintsMax);
    if (last === undefined || last === value) return null;
    const text =
      `the secret of ${name} is another one in each process, as if it were drawn at random at start: a cookie that one node signed is refused ` +
      "by the others, and by all after a regeneration. Set it to a fixed value, from the environment or a file";
    return this.hear(instance, { level: "advice", code: "secret-differs", text });
  }

  ended(instance: InstanceId): void {
    for (const [key, { saidBy }] of this.#standing) {
      saidBy.delete(instance);
      if (saidBy.size === 0) this.#standing.delete(key);
    }
  }

  get advice(): readonly string[] {
    return [...this.#advice.values()];
  }

  /** In the order in which they were first heard. */
  get standing(): readonly Notice[] {
    return [...this.#standing.values()].map(({ level, code, text }) => ({ level, code, text }));
  }
}

function keyOf(one: string, other: string): string {
  return `${one}\u0000${other}`;
}

function forgetOldest(kept: Pick<Map<string, unknown>, "keys" | "size" | "delete"> | Set<string>, max: number): void {
  for (const oldest of kept.keys()) {
    if (kept.size <= max) break;
    kept.delete(oldest);
  }
}
