/**
 * Heads between HTTP/2 and HTTP/1.1 (RFC 9113 §8). A request's fields become the bytes that an HTTP/1.1 client would
 * have sent, to be read as strictly as any; an answer's bytes become fields.
 */
import type { OutgoingHttpHeaders } from "node:http2";
import type { AnswerHead } from "../wire/answer-head.ts";

/** RFC 9113 §8.2.2: of one connection only. In a request they make it malformed; `te` may say `trailers` and nothing else. */
const connectionOnly: ReadonlySet<string> = new Set(["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"]);
/** What would end a line. Node's HTTP/2 lets none of them through; a request that is two must not depend on that alone. */
const lineEnds = /[\r\n\0]/;

/**
 * The head of a request from its fields, name and value in turn; null where HTTP/1.1 cannot say it. `chunked`: a body
 * comes whose length nobody said. Cookies may come in crumbs and go on in one piece (§8.2.3).
 */
export function requestText(raw: readonly string[], chunked: boolean): string | null {
  let method = "";
  let path = "";
  let authority: string | null = null;
  let host: string | null = null;
  let cookies = "";
  let fields = "";
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at] as string; // inside
    const value = raw[at + 1] as string; // inside
    if (lineEnds.test(value) || lineEnds.test(name)) return null;
    if (name === ":method") method = value;
    else if (name === ":path") path = value;
    else if (name === ":authority") authority = value;
    else if (name === "host") {
      if (host !== null) return null;
      host = value;
    } else if (name === "cookie") cookies = cookies === "" ? value : `${cookies}; ${value}`;
    else if (connectionOnly.has(name)) return null;
    else if (!name.startsWith(":")) fields += `${name}: ${value}\r\n`;
  }
  // Whom it is for, nobody may read in two ways (§8.3.1).
  if (host !== null && authority !== null && host.toLowerCase() !== authority.toLowerCase()) return null;
  if (cookies !== "") fields += `cookie: ${cookies}\r\n`;
  if (chunked) fields += "transfer-encoding: chunked\r\n";
  return `${method} ${path} HTTP/1.1\r\nhost: ${authority ?? host ?? ""}\r\n${fields}\r\n`;
}

/** A request's trailers as lines that may follow its last chunk; null where they cannot. */
export function trailerText(raw: readonly string[]): string | null {
  let lines = "";
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const line = `${raw[at]}: ${raw[at + 1]}`;
    if (lineEnds.test(line)) return null;
    lines += `${line}\r\n`;
  }
  return lines;
}

/** The fields of an answer's head that was read from `bytes`. */
export function answerFields(bytes: Buffer, { fieldsAt, fieldsEnd }: AnswerHead): OutgoingHttpHeaders {
  return fieldsOf(bytes.toString("latin1", fieldsAt, fieldsEnd), "\r\n");
}

/** The fields of lines that each end with `lineEnd`. */
export function fieldsOf(text: string, lineEnd: string): OutgoingHttpHeaders {
  const fields: Record<string, string | string[]> = {};
  for (let at = 0; at < text.length; ) {
    const colon = text.indexOf(":", at);
    const end = text.indexOf(lineEnd, colon);
    const name = text.slice(at, colon).toLowerCase();
    const value = text.slice(colon + 1, end).trim();
    at = end + lineEnd.length;
    if (connectionOnly.has(name)) continue;
    const known = fields[name];
    if (known === undefined) fields[name] = value;
    else if (typeof known === "string") fields[name] = [known, value];
    else known.push(value);
  }
  return fields;
}
