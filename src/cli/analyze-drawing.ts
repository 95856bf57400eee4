/** A curve as SVG: readings, limit, the forecast's cone, and the two moments. */
import { amount, isBytes, time } from "../aging/amounts.ts";
import { alongCone, type Curve, extremesOf, type Point } from "./analyze-curve.ts";

const width = 760;
const height = 280;
const left = 76;
const right = 12;
const top = 34;
const bottom = 42;
const plotWidth = width - left - right;
const plotHeight = height - top - bottom;
/** Of more readings than twice this, each of so many stretches keeps its lowest and its highest. */
const stretches = 500;
const headroom = 1.04;
const valueTicks = 5;
const timeTicks = 7;
/** Half of a time's label has this much room, or it ends where it would begin to be cut off. */
const halfLabel = 24;
const [secondMs, minuteMs, hourMs, dayMs] = [1_000, 60_000, 3_600_000, 86_400_000];
const timeSteps: readonly number[] = [
  ...[1, 2, 5, 10, 20, 30].map((seconds) => seconds * secondMs),
  ...[1, 2, 5, 10, 20, 30].map((minutes) => minutes * minuteMs),
  ...[1, 2, 4, 8, 12].map((hours) => hours * hourMs),
  ...[1, 2, 5, 10, 20, 50, 100].map((days) => days * dayMs),
];
const timeUnits = [
  [dayMs, "d"],
  [hourMs, "h"],
  [minuteMs, "min"],
] as const;
const colours = { readings: "#2f6f3a", limit: "#a3200d", forecast: "#d9822b", trend: "#8a5a00", regeneration: "#a3200d" } as const;
/** As a line the forecast's colour is seen; a text must be darker to be read. */
const forecastText = "#9a5410";

export function drawingOf(curve: Curve): string {
  const { indicator, points, startMs, endMs, lowest, highest, limit } = curve;
  const at = placement(curve);
  const line = thinned(points).map(at.point).join(" ");
  const parts = [
    ...axes(curve, at),
    ...cone(curve, at),
    `<polyline points="${line}" fill="none" stroke="${colours.readings}" stroke-width="1.3"/>`,
    ...(limit === null ? [] : [rule(at.y(limit), `limit ${amount(indicator, limit, limit)}`)]),
    ...moments(curve, at),
  ];
  const caption = `${indicator}, ${amount(indicator, points.at(-1)?.value ?? 0, highest - lowest)} after ${time(endMs - startMs)}`;
  return `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeHtml(caption)}">${parts.join("\n")}</svg>`;
}

type Placement = ReturnType<typeof placement>;

function placement({ startMs, lastMs, lowest, highest }: Curve) {
  const x = (atMs: number) => round(left + ((atMs - startMs) / (lastMs - startMs)) * plotWidth);
  const y = (value: number) => round(top + plotHeight - (Math.max(value - lowest, 0) / ((highest - lowest) * headroom)) * plotHeight);
  return { x, y, point: ({ atMs, value }: Point) => `${x(atMs)},${y(value)}` };
}

function axes({ indicator, startMs, lastMs, lowest, highest }: Curve, { x, y }: Placement): string[] {
  const values = ticks(lowest, highest, isBytes(indicator)).flatMap((value) => [
    `<line x1="${left}" x2="${width - right}" y1="${y(value)}" y2="${y(value)}" stroke="#eee"/>`,
    `<text x="${left - 6}" y="${y(value) + 4}" text-anchor="end" fill="#555">${value === 0 ? 0 : amount(indicator, value, highest - lowest)}</text>`,
  ]);
  const stepMs = timeSteps.find((one) => (lastMs - startMs) / one <= timeTicks) ?? (lastMs - startMs) / timeTicks;
  const times = Array.from({ length: Math.floor((lastMs - startMs) / stepMs) + 1 }, (_, at) => at * stepMs).map((ageMs) => {
    const at = x(startMs + ageMs);
    const isCut = at > width - halfLabel;
    return `<text x="${isCut ? width - 2 : at}" y="${top + plotHeight + 16}" text-anchor="${isCut ? "end" : "middle"}" fill="#555">${ageMs === 0 ? 0 : inUnitOf(stepMs, ageMs)}</text>`;
  });
  const name = `<text x="${left}" y="${height - 8}" fill="${colours.readings}">${escapeHtml(indicator)}</text>`;
  return [...values, ...times, name];
}

/** One unit for the whole axis. */
function inUnitOf(stepMs: number, ageMs: number): string {
  if (!timeSteps.includes(stepMs)) return time(ageMs);
  const [unitMs, unit] = timeUnits.find(([one]) => one <= stepMs) ?? [secondMs, "s"];
  return `${ageMs / unitMs} ${unit}`;
}

/** Round numbers: powers of two of bytes; of others 1, 2 or 5 times a power of ten. */
function ticks(lowest: number, highest: number, isBytes: boolean): number[] {
  const raw = (highest - lowest) / valueTicks;
  const power = isBytes ? 2 ** Math.ceil(Math.log2(raw)) : 10 ** Math.floor(Math.log10(raw));
  const step = power * ([1, 2, 5].find((one) => one * power >= raw) ?? 10);
  const first = Math.ceil(lowest / step);
  return Array.from({ length: Math.floor(highest / step) - first + 1 }, (_, at) => (first + at) * step);
}

function cone({ cone, lastMs, lowest, highest }: Curve, { point, x }: Placement): string[] {
  if (cone === null) return [];
  const roof = lowest + (highest - lowest) * headroom;
  const until = (inMs: number): Point => {
    const end = alongCone(cone, inMs, lastMs);
    if (end <= roof) return { atMs: lastMs, value: end };
    const perMs = (end - cone.from.value) / (lastMs - cone.from.atMs);
    return { atMs: cone.from.atMs + (roof - cone.from.value) / perMs, value: roof };
  };
  const [low, mid, high] = [until(cone.inMs.low), until(cone.inMs.mid), until(cone.inMs.high)];
  // Where both edges leave at different sides, the corner between them belongs to the cone.
  const corner = low.value < high.value || high.atMs < lastMs ? [] : [{ atMs: lastMs, value: roof }];
  const edges = [cone.from, low, ...corner, high].map(point).join(" ");
  return [
    `<polygon points="${edges}" fill="${colours.forecast}" opacity=".2"/>`,
    `<polyline points="${point(cone.from)} ${point(mid)}" stroke="${colours.forecast}" fill="none" stroke-width="2" stroke-dasharray="6 3"/>`,
    `<text x="${x(lastMs)}" y="${height - 8}" text-anchor="end" fill="${forecastText}">forecast and its 90 % interval</text>`,
  ];
}

function rule(y: number, text: string): string {
  return `<line x1="${left}" x2="${width - right}" y1="${y}" y2="${y}" stroke="${colours.limit}" stroke-dasharray="5 4"/>
<text x="${left + 4}" y="${round(y - 5)}" fill="${colours.limit}">${text}</text>`;
}

/** One label above the other: the moments may be near each other. */
function moments({ marks, startMs }: Curve, { x }: Placement): string[] {
  return marks.map(({ atMs, kind }) => {
    const words = `${kind === "trend" ? "trend held" : "regenerated"}, ${time(atMs - startMs)}`;
    const isRight = x(atMs) > width - 160;
    const y = kind === "trend" ? 13 : 27;
    return `<line x1="${x(atMs)}" x2="${x(atMs)}" y1="${y - 9}" y2="${top + plotHeight}" stroke="${colours[kind]}" stroke-dasharray="2 2"/>
<text x="${x(atMs) + (isRight ? -5 : 5)}" y="${y}" text-anchor="${isRight ? "end" : "start"}" fill="${colours[kind]}">${words}</text>`;
  });
}

function thinned(points: readonly Point[]): readonly Point[] {
  if (points.length <= 2 * stretches) return points;
  return Array.from({ length: stretches }, (_, at) => {
    return extremesOf(points.slice(Math.floor((at * points.length) / stretches), Math.floor(((at + 1) * points.length) / stretches)));
  }).flat();
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
