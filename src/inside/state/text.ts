/** @throws TypeError where JSON has no words for it. */
export function textOf(value: unknown, what: string): string {
  const text = JSON.stringify(value) as string | undefined; // undefined, functions and symbols have none
  if (text === undefined) throw new TypeError(`${what} is ${typeof value}, which cannot be kept: keep what JSON can say`);
  return text;
}
