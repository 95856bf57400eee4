/**
 * Back-stops beside the model, and the times that automatic regenerations are for: looked at with each sample and each tick. The
 * rules are pure (monitor/back-stops.ts, monitor/watermarks.ts, model/calendar.ts); here are the clock and its zone.
 */
import { calendarAt } from "../model/calendar.ts";
import type { InstanceId } from "../model/node.ts";
import type { Sample } from "../model/sample.ts";
import type { Settings } from "../model/settings.ts";
import { wornOut } from "../monitor/back-stops.ts";
import type { MonitorState } from "../monitor/state.ts";
import { Watermarks } from "../monitor/watermarks.ts";
import type { Fact } from "./engine.ts";

export interface BackStopWatchOptions {
  readonly settings: Settings;
  readonly state: () => MonitorState;
  /** What an instance has served; null: not known. */
  readonly requestsOf: (instance: InstanceId) => number | null;
  readonly accept: (fact: Fact) => void;
}

export class BackStopWatch {
  readonly #options: BackStopWatchOptions;
  readonly #watermarks: Watermarks;

  constructor(options: BackStopWatchOptions) {
    this.#options = options;
    this.#watermarks = new Watermarks(options.settings.watermarks);
  }

  sampled(instance: InstanceId, sample: Sample): void {
    const why = this.#watermarks.add(instance, sample);
    if (why !== null) this.#options.accept({ kind: "back-stop", instance, by: "watermark", why });
  }

  end(instance: InstanceId): void {
    this.#watermarks.end(instance);
  }

  tick(nowMs: number): void {
    const { settings, state, requestsOf, accept } = this.#options;
    const local = new Date(nowMs);
    const calendar = calendarAt({ day: local.getDay(), minute: 60 * local.getHours() + local.getMinutes() }, settings);
    if (calendar !== state().calendar) accept({ kind: "calendar", calendar });
    const found = wornOut({ ...state(), nowMs }, settings, requestsOf);
    if (found !== null) accept({ kind: "back-stop", ...found });
  }
}
