/**
 * Analyses as one self-contained HTML page: for each trace its verdict, reasons, and an SVG of readings, limit
 * and forecast cone. Everything that comes from a file is escaped.
 */
import { type Analysis, curveOf } from "./analyze-text.ts";
import { duration, quantity } from "./format.ts";

const width = 720;
const height = 240;
const pointsMax = 800;

export function pageOf(analyses: readonly Analysis[]): string {
  const sections = analyses.map(sectionOf).join("\n");
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Coppice: analysis</title>
<style>body{font:15px/1.5 system-ui,sans-serif;max-width:760px;margin:2em auto;padding:0 1em;color:#1d2a1d;background:#fdfdfb}
h2{font-size:1.05em;margin:2em 0 .2em;overflow-wrap:anywhere}svg{width:100%;height:auto;background:#fff;border:1px solid #ddd}
.aging{color:#a3200d}.attention{color:#8a5a00}.healthy{color:#246b2c}.insufficient{color:#666}li{margin:.1em 0}</style>
<h1>Coppice: analysis of ${analyses.length} trace${analyses.length === 1 ? "" : "s"}</h1>
${sections}
</html>
`;
}

function sectionOf(analysis: Analysis): string {
  const { file, verdict, indicator, replay, problems } = analysis;
  const sentences = [...(replay.decisive?.reasons ?? []), ...(replay.decisive?.against ?? []).map((text) => `but ${text}`), ...problems];
  const list = sentences.map((text) => `<li>${escapeHtml(text)}</li>`).join("");
  const drawing = indicator === null ? "" : drawingOf(analysis, indicator);
  return `<section><h2>${escapeHtml(file)}: <span class="${verdict}">${verdict}</span></h2><ul>${list}</ul>${drawing}</section>`;
}

function drawingOf(analysis: Analysis, indicator: string): string {
  const { points, startMs, endMs, lastMs, limit, exhaustion, highest, level } = curveOf(analysis, indicator);
  if (points.length === 0 || highest <= 0) return "";
  const x = (atMs: number) => (((atMs - startMs) / (lastMs - startMs)) * width).toFixed(1);
  const y = (value: number) => (height - (Math.max(value, 0) / (highest * 1.05)) * height).toFixed(1);
  const every = Math.ceil(points.length / pointsMax);
  const line = points
    .filter((_, at) => at % every === 0)
    .map(({ atMs, value }) => `${x(atMs)},${y(value)}`)
    .join(" ");
  const parts = [`<polyline points="${line}" fill="none" stroke="#2f6f3a" stroke-width="1.3"/>`];
  if (limit !== null) parts.push(`<line x1="0" x2="${width}" y1="${y(limit)}" y2="${y(limit)}" stroke="#a3200d" stroke-dasharray="5 4"/>`);
  if (limit !== null && level !== null && exhaustion !== null && lastMs > endMs) {
    const end = (inMs: number) => {
      const reachMs = lastMs - endMs;
      return Number.isFinite(inMs) && inMs > 0
        ? { atMs: endMs + Math.min(inMs, reachMs), value: level + ((limit - level) * Math.min(inMs, reachMs)) / inMs }
        : { atMs: lastMs, value: level };
    };
    const at = ({ atMs, value }: { atMs: number; value: number }) => `${x(atMs)},${y(value)}`;
    const from = at({ atMs: endMs, value: level });
    parts.push(`<polygon points="${from} ${at(end(exhaustion.low))} ${at(end(exhaustion.high))}" fill="#d9822b" opacity=".25"/>`);
    parts.push(`<polyline points="${from} ${at(end(exhaustion.mid))}" stroke="#d9822b" fill="none" stroke-width="2"/>`);
  }
  for (const [atMs, text] of [
    [analysis.replay.trendAtMs, "trend"],
    [analysis.replay.agingAtMs, "aging"],
  ] as const) {
    if (atMs !== null) {
      parts.push(
        `<line x1="${x(atMs)}" x2="${x(atMs)}" y1="0" y2="${height}" stroke="#999"/><text x="${x(atMs)}" y="${text === "trend" ? 14 : 30}" font-size="12">${text}</text>`,
      );
    }
  }
  const caption = `${indicator}, ${quantity(indicator, points.at(-1)?.value)} after ${duration(endMs - startMs)}`;
  return `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeHtml(caption)}">${parts.join("")}</svg><p>${escapeHtml(caption)}</p>`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
