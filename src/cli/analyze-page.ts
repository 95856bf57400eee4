/** Analyses as one self-contained HTML page. Everything that comes from a file is escaped. */
import { type Analysis, curveOf, titleOf } from "./analyze-curve.ts";
import { drawingOf, escapeHtml } from "./analyze-drawing.ts";
import { sentencesOf } from "./analyze-text.ts";

const style = `body{font:15px/1.5 system-ui,sans-serif;max-width:820px;margin:2em auto;padding:0 1em;color:#1d2a1d;background:#fdfdfb}
h1{font-size:1.4em}h2{font-size:1.05em;margin:2.4em 0 .2em;overflow-wrap:anywhere}
ul{margin:.3em 0 .6em;padding-left:1.2em}li{margin:.1em 0}.note{color:#666}nav{columns:16em 2;font-size:.9em;overflow-wrap:anywhere}nav div{break-inside:avoid}
figure{margin:0;overflow-x:auto}svg{display:block;box-sizing:border-box;width:100%;min-width:560px;height:auto;background:#fff;border:1px solid #ddd;font:12px system-ui,sans-serif}
.aging{color:#a3200d}.attention{color:#8a5a00}.healthy{color:#246b2c}.insufficient,.unread{color:#666}
@media (prefers-color-scheme:dark){body{color:#dde5dd;background:#141a15}a{color:#8ab4f8}a:visited{color:#c9a0f0}.note,.insufficient,.unread{color:#a0aaa0}
.aging{color:#ff8f7a}.attention{color:#e0b060}.healthy{color:#7fc98a}svg{filter:invert(.92) hue-rotate(180deg)}}`;

/** What the page keeps of a trace: the trace itself may be large. */
export interface Section {
  readonly entry: string;
  readonly body: string;
}

export function pageOf(sections: readonly Section[], left = 0): string {
  const title = `${sections.length} trace${sections.length === 1 ? "" : "s"}`;
  const contents = sections.length < 2 ? "" : `<nav>${sections.map(({ entry }) => entry).join("\n")}</nav>`;
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="color-scheme" content="light dark"><meta name="viewport" content="width=device-width,initial-scale=1"><title>Coppice: ${title}</title>
<style>${style}</style>
<h1>Coppice: analysis of ${title}</h1>
${left === 0 ? "" : `<p>${left} more were judged and are not on this page.</p>\n`}${contents}
${sections.map(({ body }) => body).join("\n")}
</html>
`;
}

/** @param at - its place on the page. */
export function sectionOf(analysis: Analysis, at: number): Section {
  const { problems, samples } = analysis;
  const sentences = samples.length === 0 ? [] : sentencesOf(analysis);
  const list = [
    ...sentences.map((text) => `<li>${escapeHtml(text)}</li>`),
    ...problems.map((text) => `<li class="note">note: ${escapeHtml(text)}</li>`),
  ];
  const curve = curveOf(analysis);
  const [name, verdict] = [escapeHtml(titleOf(analysis)), verdictOf(analysis)];
  return {
    entry: `<div><a href="#t${at}">${name}</a> ${verdict}</div>`,
    body: `<section id="t${at}"><h2>${name}: ${verdict}</h2><ul>${list.join("")}</ul>${curve === null ? "" : `<figure>${drawingOf(curve)}</figure>`}</section>`,
  };
}

function verdictOf({ verdict, samples }: Analysis): string {
  return samples.length === 0 ? `<span class="unread">not judged</span>` : `<span class="${verdict}">${verdict}</span>`;
}
