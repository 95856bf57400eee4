/**
 * What a benchmark starts and writes goes with it, in the reverse order: at its end, where it fails, and at Ctrl-C and SIGTERM, by
 * which Node would end without a word to anybody.
 */
const ends = new Set<() => void>();
process.on("exit", () => {
  for (const end of [...ends].reverse()) end();
});
const signals = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;
for (const [signal, number] of Object.entries(signals)) process.once(signal, () => process.exit(128 + number));

/** `end` waits for nothing. The returned function says that it is not needed any more. */
export function atEnd(end: () => void): () => void {
  ends.add(end);
  return () => ends.delete(end);
}
