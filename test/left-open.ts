/**
 * What a test has open: processes, loads, disks. One that fails, or is given up at its time-out, never comes to the line
 * that closes them; left open they would disturb the next test and keep the file from ending, so that nobody is told what
 * failed. Whatever is still open after a test is ended here, the newest first, without waiting for anybody's goodwill.
 */
import { afterEach } from "node:test";

type End = () => unknown;

const open = new Set<End>();

/** `end` is called after the running test, unless what is returned was called before: it was closed in order. */
export function endAfterTest(end: End): () => void {
  open.add(end);
  return () => open.delete(end);
}

afterEach(
  async () => {
    const faults: unknown[] = [];
    for (const end of [...open].reverse()) {
      open.delete(end);
      try {
        await end();
      } catch (error) {
        faults.push(error);
      }
    }
    if (faults.length > 0) throw new AggregateError(faults, "what the test left open could not be ended");
  },
  { timeout: 60_000 },
);
