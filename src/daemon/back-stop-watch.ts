/**
 * Back-stops beside the model, the times that automatic regenerations are for, and the load: looked at with each sample and each tick. The
 * rules are pure (monitor/back-stops.ts, monitor/spare-capacity.ts, monitor/closing.ts, monitor/watermarks.ts, model/calendar.ts); here are the clock and its zone.
 */
import { WeekCalendar } from "../model/calendar.ts";
import type { InstanceId } from "../model/node.ts";
import type { Sample } from "../model/sample.ts";
import type { Settings } from "../model/settings.ts";
import { wornOut } from "../monitor/back-stops.ts";
import { endsInClosing } from "../monitor/closing.ts";
import { SpareCapacity } from "../monitor/spare-capacity.ts";
import type { MonitorState } from "../monitor/state.ts";
import type { Fact } from "../monitor/types.ts";
import { serving } from "../monitor/view.ts";
import { Watermarks } from "../monitor/watermarks.ts";

export interface BackStopWatchOptions {
  /** As they are by now; `settingsChanged` says when they are others. */
  readonly settings: () => Settings;
  readonly state: () => MonitorState;
  /** What an instance has served; null: not known. */
  readonly requestsOf: (instance: InstanceId) => number | null;
  /** When an instance is exhausted, at the earliest, as forecast; infinite where nothing grows for real. */
  readonly exhaustionInMs: (instance: InstanceId) => number;
  readonly accept: (fact: Fact) => void;
}

export class BackStopWatch {
  readonly #options: BackStopWatchOptions;
  readonly #capacity = new SpareCapacity();
  #watermarks: Watermarks;
  #calendar: WeekCalendar;

  constructor(options: BackStopWatchOptions) {
    this.#options = options;
    this.#watermarks = new Watermarks(options.settings().watermarks);
    this.#calendar = new WeekCalendar(options.settings());
  }

  /** Levels and times of the week may be others; the load is what it was. */
  settingsChanged(nowMs: number): void {
    this.#watermarks = new Watermarks(this.#options.settings().watermarks);
    this.#calendar = new WeekCalendar(this.#options.settings());
    this.tick(nowMs);
  }

  sampled(instance: InstanceId, sample: Sample): void {
    this.#capacity.add(instance, sample);
    const why = this.#watermarks.add(instance, sample);
    if (why !== null) this.#options.accept({ kind: "back-stop", instance, by: "watermark", why });
  }

  end(instance: InstanceId): void {
    this.#watermarks.end(instance);
    this.#capacity.end(instance);
  }

  tick(nowMs: number): void {
    const { state, requestsOf, exhaustionInMs, accept } = this.#options;
    const settings = this.#options.settings();
    const local = new Date(nowMs);
    const now = { day: local.getDay(), minute: 60 * local.getHours() + local.getMinutes() };
    const calendar = this.#calendar.at(now);
    if (calendar !== state().calendar) accept({ kind: "calendar", calendar });
    const othersAreFull = this.#othersAreFull();
    if (othersAreFull !== state().othersAreFull) accept({ kind: "load", othersAreFull });
    const ending = endsInClosing({ ...state(), nowMs }, settings, this.#calendar.closing(now), exhaustionInMs);
    if (ending !== null) accept({ kind: "back-stop", ...ending });
    const worn = wornOut({ ...state(), nowMs }, settings, requestsOf);
    if (worn !== null) accept({ kind: "back-stop", ...worn });
  }

  /** Until all have said what they do (this monitor may be new) it is as it was; who has no probe never says it, and is no reason to wait. */
  #othersAreFull(): boolean {
    const state = this.#options.state();
    const instances = serving(state);
    const isFull = this.#capacity.isFull(
      instances.map(({ id }) => id),
      state.othersAreFull,
    );
    return isFull ?? (state.othersAreFull && instances.every(({ probed }) => probed));
  }
}
