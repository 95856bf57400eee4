/**
 * What a benchmark starts and writes goes with it, in the reverse order: at its end, where it fails, and at Ctrl-C and SIGTERM, by
 * which Node would end without a word to anybody.
 */
const ends = new Set<() => void>();
process.on("exit", endAll);
// node:test, which comes along with what the tests lend, throws a failure once more: no "exit" is heard then.
process.on("uncaughtExceptionMonitor", endAll);
const signals = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;
for (const [signal, number] of Object.entries(signals)) process.once(signal, () => process.exit(128 + number));

/** `end` waits for nothing. The returned function says that it is not needed any more. */
export function atEnd(end: () => void): () => void {
  ends.add(end);
  return () => ends.delete(end);
}

function endAll(): void {
  const all = [...ends].reverse();
  ends.clear();
  for (const end of all) end();
}
