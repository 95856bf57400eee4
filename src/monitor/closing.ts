/**
 * Times in which regenerations may not begin, or only at the last moment (model/calendar.ts). Who may meet its end in such a time, or the age that it may have, is
 * regenerated before: as late as leaves all nodes their turn, twice over, since a forecast is the better the nearer its end is.
 */
import { time } from "../aging/amounts.ts";
import type { Closing } from "../model/calendar.ts";
import type { InstanceId } from "../model/node.ts";
import type { Settings } from "../model/settings.ts";
import type { InstanceRecord, MonitorState } from "./state.ts";
import { regenerationMs, serving } from "./view.ts";

const turns = 2;
const minuteMs = 60_000;
/** However fast they are: the calendar knows no seconds, and a forecast gains nothing by the last minutes. */
const beforeMsMin = 5 * minuteMs;

/**
 * Who goes before it closes; null: nobody, or not yet. The one whose end is nearest is the first.
 * @param exhaustionInMs at the earliest, as forecast; infinite where nothing grows for real.
 */
export function endsInClosing(
  state: MonitorState,
  settings: Settings,
  closing: Closing | null,
  exhaustionInMs: (instance: InstanceId) => number,
): { readonly instance: InstanceId; readonly by: "calendar"; readonly why: string } | null {
  if (closing === null || state.current !== null || state.queue.some(({ origin }) => origin === "calendar")) return null;
  const instances = serving(state);
  const roomMs = instances.length * regenerationMs(state, settings);
  const beforeMs = Math.max(beforeMsMin, turns * roomMs);
  if (closing.inMinutes * minuteMs > beforeMs) return null;
  const overInMs = closing.overInMinutes * minuteMs;
  // Where no life is as long as what closes, another turn would help nobody.
  const hadTurn = ({ id, availableSinceMs }: InstanceRecord) =>
    state.nowMs - availableSinceMs < beforeMs && state.ended.some(({ replacement, origin }) => replacement === id && origin === "calendar");
  const ends = instances
    .filter((one) => !hadTurn(one))
    .map(({ id, availableSinceMs }) => {
      const mayServeMs = settings.maxAgeMs === 0 ? Number.POSITIVE_INFINITY : settings.maxAgeMs - (state.nowMs - availableSinceMs);
      const endsInMs = Math.min(exhaustionInMs(id), mayServeMs);
      const why = endsInMs < mayServeMs ? `its end may come in ${time(endsInMs)}` : sayMayServe(mayServeMs);
      return { instance: id, endsInMs, why };
    });
  const [first] = ends.filter(({ endsInMs }) => endsInMs < overInMs + roomMs).sort((a, b) => a.endsInMs - b.endsInMs);
  if (first === undefined) return null;
  const why = `it may not live until regenerations may begin again (in ${time(overInMs)}): ${first.why}`;
  return { instance: first.instance, by: "calendar", why };
}

function sayMayServe(moreMs: number): string {
  return moreMs > 0 ? `it may serve for ${time(moreMs)} more (maxAgeMs)` : "it has served for as long as it may (maxAgeMs)";
}
