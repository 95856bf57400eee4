/**
 * The live run of the monitor's pure core: one input at a time is journalled, stepped, and its effects
 * performed. It owns the clock and the one timer; it decides nothing.
 *
 * If the disk takes no more, the input waits and is tried again: nothing is done that was not journalled.
 * What is said again while it stands does not wait with it, so that the queue stays short.
 */
import { defaultSettings } from "../config/declared.ts";
import { messageOf } from "../model/errors.ts";
import { completed } from "../monitor/completed.ts";
import { initialState, type MonitorState } from "../monitor/state.ts";
import { step } from "../monitor/step.ts";
import type { Effect, Fact, Input, StepResult } from "../monitor/types.ts";
import type { Journal } from "./journal.ts";

const diskRetryMs = 1_000;
const saidAgain: ReadonlySet<Input["kind"]> = new Set([
  "woken",
  "aging",
  "back-stop",
  "calendar",
  "load",
  "instance-stuck",
  "instance-deserted",
  "release-worse",
]);

export class Engine {
  readonly #journal: Journal<MonitorState>;
  readonly #perform: (effect: Effect, nowMs: number) => void;
  readonly #queue: Input[] = [];
  #state: MonitorState;
  #running = false;
  #stopped = false;
  #wake: NodeJS.Timeout | null = null;
  /** Set while the disk takes nothing. */
  #diskRetry: NodeJS.Timeout | null = null;

  /** `recovered` is true if the journal held an earlier life of this cluster's monitor. */
  readonly recovered: boolean;

  constructor(journal: Journal<MonitorState>, perform: (effect: Effect, nowMs: number) => void) {
    this.#journal = journal;
    this.#perform = perform;
    const state = journal.recover(initialState(), replay);
    this.recovered = state !== null;
    this.#state = state === null ? initialState() : completed(state, defaultSettings);
  }

  get state(): MonitorState {
    return this.#state;
  }

  accept(fact: Fact): void {
    if (this.#stopped || (this.#diskRetry !== null && saidAgain.has(fact.kind))) return;
    this.#queue.push({ ...fact, nowMs: Date.now() } as Input); // Fact is Input less the time, which is added here
    this.#run();
  }

  stop(): void {
    this.#stopped = true;
    this.#queue.length = 0;
    if (this.#wake !== null) clearTimeout(this.#wake);
    if (this.#diskRetry !== null) clearTimeout(this.#diskRetry);
    this.#journal.close();
  }

  /** Effects may bring new inputs at once: they wait their turn here. */
  #run(): void {
    if (this.#running || this.#diskRetry !== null) return;
    this.#running = true;
    try {
      for (let input = this.#queue[0]; input !== undefined; input = this.#queue[0]) {
        if (!this.#append(input)) return;
        this.#queue.shift();
        this.#take(input, step(this.#state, input));
      }
      this.#journal.compact(this.#state);
    } finally {
      this.#running = false;
    }
  }

  #take(input: Input, result: StepResult<MonitorState>): void {
    this.#state = result.state;
    for (const effect of result.effects) this.#perform(effect, input.nowMs);
    if (this.#wake !== null) clearTimeout(this.#wake);
    this.#wake = null;
    if (result.wakeAtMs === null || this.#stopped) return;
    const inMs = Math.min(Math.max(result.wakeAtMs - Date.now(), 0), 2 ** 31 - 1);
    this.#wake = setTimeout(() => this.accept({ kind: "woken" }), inMs);
  }

  #append(input: Input): boolean {
    try {
      this.#journal.append(input);
      return true;
    } catch (error) {
      process.stderr.write(`the journal cannot be written (${messageOf(error)}): nothing is regenerated until it can\n`);
      this.#diskRetry = setTimeout(() => {
        this.#diskRetry = null;
        this.#run();
      }, diskRetryMs);
      return false;
    }
  }
}

/** An input that broke an invariant was not taken when it came, and is not now: else each next monitor would break at it too. */
function replay(before: MonitorState, input: Input): MonitorState {
  try {
    return step(completed(before, defaultSettings), input).state;
  } catch (error) {
    process.stderr.write(`the journal's ${input.kind} is left out: ${messageOf(error)}\n`);
    return before;
  }
}
