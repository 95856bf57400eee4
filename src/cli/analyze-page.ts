/** Analyses as one self-contained HTML page. Everything that comes from a file is escaped. */
import { type Analysis, curveOf } from "./analyze-curve.ts";
import { drawingOf, escapeHtml } from "./analyze-drawing.ts";
import { sentencesOf } from "./analyze-text.ts";

const style = `body{font:15px/1.5 system-ui,sans-serif;max-width:820px;margin:2em auto;padding:0 1em;color:#1d2a1d;background:#fdfdfb}
h1{font-size:1.4em}h2{font-size:1.05em;margin:2.4em 0 .2em;overflow-wrap:anywhere}
ul{margin:.3em 0 .6em;padding-left:1.2em}li{margin:.1em 0}.note{color:#666}nav{columns:2;font-size:.9em;overflow-wrap:anywhere}nav div{break-inside:avoid}
svg{display:block;width:100%;height:auto;background:#fff;border:1px solid #ddd;font:12px system-ui,sans-serif}
.aging{color:#a3200d}.attention{color:#8a5a00}.healthy{color:#246b2c}.insufficient,.unread{color:#666}`;

export function pageOf(analyses: readonly Analysis[], left = 0): string {
  const title = `${analyses.length} trace${analyses.length === 1 ? "" : "s"}`;
  const contents = analyses.length < 2 ? "" : `<nav>${analyses.map(entryOf).join("\n")}</nav>`;
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>Coppice: ${title}</title>
<style>${style}</style>
<h1>Coppice: analysis of ${title}</h1>
${left === 0 ? "" : `<p>${left} more were judged and are not on this page.</p>\n`}${contents}
${analyses.map(sectionOf).join("\n")}
</html>
`;
}

function entryOf({ file, ...analysis }: Analysis, at: number): string {
  return `<div><a href="#t${at}">${escapeHtml(file)}</a> ${verdictOf({ file, ...analysis })}</div>`;
}

function verdictOf({ verdict, samples }: Analysis): string {
  return samples.length === 0 ? `<span class="unread">not judged</span>` : `<span class="${verdict}">${verdict}</span>`;
}

function sectionOf(analysis: Analysis, at: number): string {
  const { file, problems, samples } = analysis;
  const sentences = samples.length === 0 ? [] : sentencesOf(analysis);
  const list = [
    ...sentences.map((text) => `<li>${escapeHtml(text)}</li>`),
    ...problems.map((text) => `<li class="note">note: ${escapeHtml(text)}</li>`),
  ];
  const curve = curveOf(analysis);
  return `<section id="t${at}"><h2>${escapeHtml(file)}: ${verdictOf(analysis)}</h2><ul>${list.join("")}</ul>${curve === null ? "" : drawingOf(curve)}</section>`;
}
