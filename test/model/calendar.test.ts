/** Times of the week: which minutes lie in a period, with a slow oracle that walks from its begin. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parsePeriod, WeekCalendar, type WeekTime } from "../../src/model/calendar.ts";

const names = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const clock = (minute: number) => `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;
const weekMinutes = 7 * 1_440;
const isIn = (text: string, time: WeekTime) =>
  new WeekCalendar({ maintenanceWindows: [], forbiddenTimes: [text] }).at(time) === "forbidden";

test("calendar: a minute lies in a period if one walks over it from the begin of one of its days", () => {
  const minute = fc.integer({ min: 0, max: 1_439 });
  const day = fc.integer({ min: 0, max: 6 });
  fc.assert(
    fc.property(day, day, minute, minute, fc.integer({ min: 0, max: weekMinutes - 1 }), (first, last, from, to, now) => {
      const walked = new Set<number>();
      for (let on = first; ; on = (on + 1) % 7) {
        for (let at = 0; at === 0 || (from + at) % 1_440 !== to; at += 1) walked.add((on * 1_440 + from + at) % weekMinutes);
        if (on === last) break;
      }
      const time = { day: Math.floor(now / 1_440), minute: now % 1_440 };
      assert.equal(isIn(`${names[first]}-${names[last]} ${clock(from)}-${clock(to)}`, time), walked.has(now));
    }),
  );
});

test("calendar: examples as people write them, and what is none", () => {
  assert.ok(isIn("02:00-05:00", { day: 3, minute: 120 }));
  assert.ok(!isIn("02:00-05:00", { day: 3, minute: 300 }), "the end is outside");
  assert.ok(isIn("Sat 22:00-06:00", { day: 0, minute: 359 }), "it began on Saturday");
  assert.ok(!isIn("Sat 22:00-06:00", { day: 6, minute: 359 }));
  assert.ok(isIn("sun 00:00-24:00", { day: 0, minute: 1_439 }));
  for (const wrong of [
    "2:00-5:00",
    "02:00",
    "24:00-25:00",
    "Mon,Tue 02:00-03:00",
    "Dimanche 02:00-03:00",
    "Xyz 02:00-03:00",
    "02:00-03:60",
    "",
  ])
    assert.equal(parsePeriod(wrong), null, wrong);
});

test("calendar: a forbidden time wins over a window; without windows all other times are open", () => {
  const calendar = new WeekCalendar({ maintenanceWindows: ["02:00-05:00"], forbiddenTimes: ["04:00-06:00"] });
  const at = (hour: number) => calendar.at({ day: 1, minute: hour * 60 });
  assert.deepEqual([at(1), at(3), at(4), at(5), at(7)], ["outside", "open", "forbidden", "forbidden", "outside"]);
  assert.equal(new WeekCalendar({ maintenanceWindows: [], forbiddenTimes: [] }).at({ day: 1, minute: 0 }), "open");
});

test("calendar: when it closes, and when that is over", () => {
  const closing = (windows: string[], forbidden: string[], day: number, hour: number) => {
    const found = new WeekCalendar({ maintenanceWindows: windows, forbiddenTimes: forbidden }).closing({ day, minute: hour * 60 });
    return found === null ? null : [found.inMinutes / 60, found.overInMinutes / 60];
  };
  assert.deepEqual(closing(["02:00-05:00"], [], 3, 4), [1, 22], "the window of tomorrow");
  assert.deepEqual(closing(["Sat 22:00-06:00"], [], 0, 5), [1, 6 * 24 + 17], "the window of next week");
  assert.equal(closing(["02:00-05:00"], [], 3, 6), null, "outside, and nothing is worse");
  assert.deepEqual(closing(["02:00-05:00"], ["09:00-17:00"], 3, 6), [3, 11], "outside, and forbidden before the next window");
  assert.equal(closing(["02:00-05:00"], ["09:00-17:00"], 3, 18), null, "outside, and the window comes first");
  assert.deepEqual(closing([], ["Mon-Fri 09:00-17:00"], 5, 18), [63, 71], "open over the weekend");
  assert.equal(closing([], [], 1, 1), null);
  assert.equal(closing([], ["09:00-17:00"], 1, 10), null, "forbidden: nothing is worse");
});

test("calendar: it closes where the next minute that is less free is, unless a freer one comes before", () => {
  const period = fc
    .tuple(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 23 }))
    .map(([day, from, to]) => `${names[day]} ${clock(60 * from)}-${clock(60 * to)}`);
  const periods = fc.array(period, { maxLength: 3 });
  fc.assert(
    fc.property(periods, periods, fc.integer({ min: 0, max: weekMinutes - 1 }), (maintenanceWindows, forbiddenTimes, from) => {
      const calendar = new WeekCalendar({ maintenanceWindows, forbiddenTimes });
      const time = (ahead: number) => ({ day: Math.floor(((from + ahead) % weekMinutes) / 1_440), minute: (from + ahead) % 1_440 });
      const rank = (ahead: number) => ["forbidden", "outside", "open"].indexOf(calendar.at(time(ahead)));
      const week = Array.from({ length: weekMinutes }, (_, ahead) => rank(ahead));
      const changed = week.findIndex((one) => one !== rank(0));
      const less = changed !== -1 && rank(changed) < rank(0);
      const over = less ? week.findIndex((one, ahead) => ahead > changed && one >= rank(0)) : -1;
      const expected = less ? { inMinutes: changed, overInMinutes: over === -1 ? weekMinutes : over } : null;
      assert.deepEqual(calendar.closing(time(0)), expected);
    }),
  );
});
