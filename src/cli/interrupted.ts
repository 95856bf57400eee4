/** Ctrl-C at a command that waits for what it ordered: that goes on all the same, and whoever leaves is told so. */
import { constants } from "node:os";

/** @returns what takes it back, once nothing is waited for any more. */
export function sayWhenInterrupted(words: string): () => void {
  const handlers = (["SIGINT", "SIGTERM"] as const).map((signal) => {
    const leave = () => {
      process.stderr.write(`coppice: ${words}\n`);
      process.exit(128 + constants.signals[signal]);
    };
    process.once(signal, leave);
    return { signal, leave };
  });
  return () => {
    for (const { signal, leave } of handlers) process.off(signal, leave);
  };
}
