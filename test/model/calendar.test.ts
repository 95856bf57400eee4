/** Times of the week: which minutes lie in a period, with a slow oracle that walks from its begin. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { calendarAt, parsePeriod, type WeekTime } from "../../src/model/calendar.ts";

const names = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const clock = (minute: number) => `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;
const weekMinutes = 7 * 1_440;
const isIn = (text: string, time: WeekTime) => calendarAt(time, { maintenanceWindows: [], forbiddenTimes: [text] }) === "forbidden";

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
  const settings = { maintenanceWindows: ["02:00-05:00"], forbiddenTimes: ["04:00-06:00"] };
  const at = (hour: number) => calendarAt({ day: 1, minute: hour * 60 }, settings);
  assert.deepEqual([at(1), at(3), at(4), at(5), at(7)], ["outside", "open", "forbidden", "forbidden", "outside"]);
  assert.equal(calendarAt({ day: 1, minute: 0 }, { maintenanceWindows: [], forbiddenTimes: [] }), "open");
});
