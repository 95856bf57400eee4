import assert from "node:assert/strict";
import { test } from "node:test";
import { preferredForm } from "../../src/forwarder/accept.ts";

const chrome = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";
const cases: readonly (readonly [accept: string, form: string])[] = [
  ["", "text/plain"],
  ["*/*", "text/plain"],
  [chrome, "text/html"],
  ["text/html", "text/html"],
  ["TEXT/HTML", "text/html"],
  ["application/json", "application/json"],
  ["application/json, text/plain, */*", "application/json"],
  ["text/plain, application/json", "text/plain"],
  ["text/html, application/json", "text/html"],
  ["application/json, text/html", "application/json"],
  ["application/json, text/html;q=0.5", "application/json"],
  ["text/html;q=0.5, application/json", "application/json"],
  ["text/html;q=0.9, application/json;q=0.8", "text/html"],
  ["text/html;q=0, application/json", "application/json"],
  ["text/html;q=0", "text/plain"],
  ["*/*, text/plain;q=0", "application/json"],
  ["*/*;q=0.1, text/html;q=0", "text/plain"],
  ["application/problem+json", "application/json"],
  ["application/*", "application/json"],
  ["text/*;q=0.3, text/html;q=0.7, text/html;level=1, text/html;level=2;q=0.4, */*;q=0.5", "text/html"],
  ["text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", "text/html"],
  ["image/png", "text/plain"],
  ["text/htmlx, xapplication/jsonx", "text/plain"],
  ["text/html;q=high", "text/plain"],
  [",;,;q=,", "text/plain"],
];

test("accept: an answer of the forwarder's own has the form that the client wants most", () => {
  for (const [accept, form] of cases) assert.equal(preferredForm(accept), form, accept);
});
