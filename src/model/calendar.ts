/**
 * Times of the week, as settings name them: `02:00-05:00`, `Sat 22:00-06:00`, `Mon-Fri 08:00-18:00`. One that goes past midnight
 * belongs to the day on which it begins. Pure: whose clock it is, and in which zone, the caller says.
 */
import type { Settings } from "./settings.ts";

const days: readonly string[] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const dayMinutes = 24 * 60;
const weekMinutes = 7 * dayMinutes;

/** A minute of a week. */
export interface WeekTime {
  /** 0: Sunday. */
  readonly day: number;
  readonly minute: number;
}

interface Period {
  readonly days: readonly number[];
  readonly fromMinute: number;
  readonly minutes: number;
}

const pattern = /^(?:([a-z]{3})(?:-([a-z]{3}))? )?([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|24:00)$/i;

/** Null if it is none. */
export function parsePeriod(text: string): Period | null {
  const match = pattern.exec(text);
  if (match === null) return null;
  const [, first, last = first, fromHour, fromMinutes, toHour = "24", toMinutes = "0"] = match;
  const named = daysFrom(first, last);
  if (named === null) return null;
  const fromMinute = 60 * Number(fromHour) + Number(fromMinutes);
  const minutes = (60 * Number(toHour) + Number(toMinutes) - fromMinute + dayMinutes) % dayMinutes;
  return { days: named, fromMinute, minutes: minutes === 0 ? dayMinutes : minutes };
}

/** `Fri-Mon` goes over the week's end. Without a name it is every day. */
function daysFrom(first: string | undefined, last: string | undefined): number[] | null {
  const from = first === undefined ? 0 : days.indexOf(first.toLowerCase());
  const to = last === undefined ? days.length - 1 : days.indexOf(last.toLowerCase());
  if (from === -1 || to === -1) return null;
  const count = ((to - from + days.length) % days.length) + 1;
  return Array.from({ length: count }, (_, at) => (from + at) % days.length);
}

function isWithin(period: Period, { day, minute }: WeekTime): boolean {
  const yesterday = (day + days.length - 1) % days.length;
  const since = minute - period.fromMinute;
  if (since >= 0 && since < period.minutes && period.days.includes(day)) return true;
  return since + dayMinutes < period.minutes && period.days.includes(yesterday);
}

/** Whether automatic regenerations may begin: `open`, `outside` of the times that are for them, or `forbidden`. */
export type Calendar = "open" | "outside" | "forbidden";

/** The next time in which regenerations may begin less freely than now, in minutes from now: when it begins and when it is over. */
export interface Closing {
  readonly inMinutes: number;
  readonly overInMinutes: number;
}

const freedom: Readonly<Record<Calendar, number>> = { open: 2, outside: 1, forbidden: 0 };

/** The week as the settings have it, minute by minute. */
export class WeekCalendar {
  readonly #week: readonly Calendar[];

  /** @param settings periods, as the settings were checked. */
  constructor({ maintenanceWindows, forbiddenTimes }: Pick<Settings, "maintenanceWindows" | "forbiddenTimes">) {
    const parsed = (texts: readonly string[]) => texts.map(parsePeriod).filter((period) => period !== null);
    const [windows, forbidden] = [parsed(maintenanceWindows), parsed(forbiddenTimes)];
    const isIn = (periods: readonly Period[], time: WeekTime) => periods.some((period) => isWithin(period, time));
    this.#week = Array.from({ length: weekMinutes }, (_, at) => {
      const time = { day: Math.floor(at / dayMinutes), minute: at % dayMinutes };
      if (isIn(forbidden, time)) return "forbidden";
      return windows.length === 0 || isIn(windows, time) ? "open" : "outside";
    });
  }

  at({ day, minute }: WeekTime): Calendar {
    return this.#week[day * dayMinutes + minute] ?? "open";
  }

  /** Whether there is such a time in a week. */
  has(calendar: Calendar): boolean {
    return this.#week.includes(calendar);
  }

  /** Null where it is never less free than now, or freer before it is. The clocks' change is not looked ahead to: an hour, twice a year. */
  closing(time: WeekTime): Closing | null {
    const now = freedom[this.at(time)];
    const from = time.day * dayMinutes + time.minute;
    const ahead = (minutes: number) => freedom[this.#week[(from + minutes) % weekMinutes] ?? "open"];
    for (let inMinutes = 1; inMinutes < weekMinutes && ahead(inMinutes) <= now; inMinutes += 1) {
      if (ahead(inMinutes) === now) continue;
      let overInMinutes = inMinutes + 1;
      while (ahead(overInMinutes) < now) overInMinutes += 1; // now comes again within a week
      return { inMinutes, overInMinutes };
    }
    return null;
  }
}
