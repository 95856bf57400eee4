/** The text of a trace file, read piece by piece: a recording may be larger than the memory that is at hand. */
import { closeSync, openSync, readSync } from "node:fs";
import { StringDecoder } from "node:string_decoder";

const pieceBytes = 1024 * 1024;
const waitMs = 20;
/** Nobody wakes who waits here: it is a pause of the thread, which has nothing else to do. */
const nothingComes = new Int32Array(new SharedArrayBuffer(4));

/** @param file - is standard input. */
export function* piecesOf(file: string): Generator<string> {
  const descriptor = file === "-" ? process.stdin.fd : openSync(file, "r");
  try {
    const buffer = Buffer.allocUnsafe(pieceBytes);
    let decoder: StringDecoder | null = null;
    for (let read = readWaiting(descriptor, buffer); read > 0; read = readWaiting(descriptor, buffer)) {
      const bytes = buffer.subarray(0, read);
      decoder ??= new StringDecoder(encodingOf(bytes));
      yield decoder.write(bytes);
    }
    if (decoder !== null) yield decoder.end();
  } finally {
    if (file !== "-") closeSync(descriptor);
  }
}

/** Windows' shells and spreadsheets write UTF-16, and say so by its mark. */
function encodingOf(begin: Buffer): BufferEncoding {
  return begin[0] === 0xff && begin[1] === 0xfe ? "utf16le" : "utf8";
}

/** Standard input may be set not to block (a parent that is a Node process does so): what is not there yet is waited for. */
function readWaiting(descriptor: number, buffer: Buffer): number {
  for (;;) {
    try {
      return readSync(descriptor, buffer);
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EAGAIN")) throw error;
      Atomics.wait(nothingComes, 0, 0, waitMs);
    }
  }
}

/** Lines end by a line feed, a carriage return, or both. */
export function* linesOf(pieces: Iterable<string>): Generator<string> {
  let rest = "";
  for (const piece of pieces) {
    const text = rest + piece;
    // A carriage return at the end may be half of one.
    const whole = text.endsWith("\r") ? text.slice(0, -1) : text;
    const lines = (whole.includes("\r") ? whole.replace(/\r\n?/g, "\n") : whole).split("\n");
    rest = (lines.pop() ?? "") + text.slice(whole.length);
    yield* lines;
  }
  if (rest !== "") yield rest.replace(/\r$/, "");
}
