/** Times of the week as settings name them, for tests that run at any time. */

/** All of the week but a minute of each day, half a day away from now. */
export function nearlyAlways(now = new Date()): string {
  const minute = (60 * now.getHours() + now.getMinutes() + 12 * 60) % (24 * 60);
  const text = (at: number) => `${String(Math.floor(at / 60) % 24).padStart(2, "0")}:${String(at % 60).padStart(2, "0")}`;
  return `${text((minute + 1) % (24 * 60))}-${text(minute)}`;
}
