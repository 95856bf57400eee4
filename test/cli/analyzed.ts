import assert from "node:assert/strict";
import { analyzeFile } from "../../src/cli/analyze.ts";
import type { Analysis } from "../../src/cli/analyze-curve.ts";

/** What is said of a file that tells of one process. */
export function analyzed(...args: Parameters<typeof analyzeFile>): Analysis {
  const [analysis, ...others] = analyzeFile(...args);
  assert.ok(analysis !== undefined && others.length === 0);
  return analysis;
}
