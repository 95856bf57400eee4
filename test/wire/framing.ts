/**
 * Two readings of the same bytes: ours, as the forwarder does it, and that of Node's own parser (llhttp,
 * strict), which knows nothing of ours. Both give the messages with their bodies, up to a refusal.
 */
import { createRequire } from "node:module";
import { AnswerHead } from "../../src/wire/answer-head.ts";
import { BodyReader, badBody } from "../../src/wire/body.ts";
import { framing, needMore, whole } from "../../src/wire/head.ts";
import { overlong, RequestHead } from "../../src/wire/request-head.ts";

export interface Message {
  /** `GET /x` or `200`. */
  readonly line: string;
  /** Names in lower case and values, by line. */
  readonly fields: readonly string[];
  readonly body: string;
  readonly complete: boolean;
}

export interface Reading {
  readonly messages: readonly Message[];
  /** Status of the refusal that ended it, or null. */
  readonly refused: number | null;
  /** Of ours: the bytes that go on to the other side. */
  readonly forwarded?: Buffer;
}

export interface AskedFor {
  readonly method?: string;
  readonly upgrade?: boolean;
  /** The connection ended after the bytes. */
  readonly ended?: boolean;
}

/** The longest head that is read here. */
const headBytesMax = 32 * 1024;

/** Requests as the forwarder reads them, in pieces cut at `cuts`. `granted`: behind one for an upgrade comes something else. */
export function readRequests(bytes: Buffer, cuts: readonly number[] = [], granted = true): Reading {
  const head = new RequestHead();
  return readMessages(bytes, cuts, head, {
    read: (source, from, to) => head.read(source, from, to),
    line: (source) => `${head.method} ${source.toString("latin1", head.targetAt, head.targetEnd)}`,
    // Behind either nobody reads a further request.
    isLast: () => !head.keepsAlive || (head.upgrades && granted),
  });
}

/** Answers to one kind of request. */
export function readAnswers(
  bytes: Buffer,
  { method = "GET", upgrade = false, ended = true }: AskedFor = {},
  cuts: readonly number[] = [],
): Reading {
  const head = new AnswerHead();
  const reading = readMessages(bytes, cuts, head, {
    read: (source, from, to) => head.read(source, from, to, method === "HEAD", upgrade, false),
    line: () => String(head.status),
    isLast: () => !head.isInterim && (!head.keepsAlive || head.status === 101),
  });
  const last = reading.messages.at(-1);
  if (last === undefined || !ended || reading.refused !== null || head.framing !== framing.untilClose) return reading;
  return { ...reading, messages: [...reading.messages.slice(0, -1), { ...last, complete: true }] };
}

interface Kind {
  readonly read: (source: Buffer, from: number, to: number) => number;
  readonly line: (source: Buffer) => string;
  readonly isLast: () => boolean;
}

function readMessages(bytes: Buffer, cuts: readonly number[], head: RequestHead | AnswerHead, kind: Kind): Reading {
  const forwarded: string[] = [];
  const { messages, refused } = frame(bytes, cuts, head, kind, forwarded);
  const bodies = messages.map((message) => ({ ...message, body: dechunked(message) }));
  return { messages: bodies, refused, forwarded: Buffer.from(forwarded.join(""), "latin1") };
}

function frame(bytes: Buffer, cuts: readonly number[], head: RequestHead | AnswerHead, kind: Kind, forwarded: string[]): Reading {
  const messages: Message[] = [];
  const body = new BodyReader();
  let at = 0;
  let inBody = false;
  let ended = false;
  let bodyFrom = 0;
  for (const to of [...cuts.filter((cut) => cut > 0 && cut < bytes.length).sort((a, b) => a - b), bytes.length]) {
    // What is behind `to` is not there yet: nothing may be read of it.
    const source = Buffer.from(bytes.subarray(0, to));
    while (!ended) {
      if (!inBody) {
        if (at >= to) break;
        const verdict = kind.read(source, at, to);
        if (verdict === needMore && to - at <= headBytesMax) break;
        if (verdict !== whole || head.end - head.start > headBytesMax)
          return { messages, refused: verdict <= whole ? overlong(source, at, headBytesMax) : verdict };
        const fields = linesOf(source.toString("latin1", head.fieldsAt, head.fieldsEnd));
        forwarded.push(withoutCuts(source, head));
        bodyFrom = forwarded.length;
        messages.push({ line: kind.line(source), fields, body: "", complete: false });
        body.begin(head.framing, Math.max(0, head.contentLength));
        at = head.end;
        inBody = true;
      }
      const end = body.read(source, at, to);
      const last = messages.at(-1) as Message; // pushed above
      messages[messages.length - 1] = {
        ...last,
        // How much of a broken body was seen before its fault depends on the cuts.
        body: end === badBody ? "" : last.body + source.toString("latin1", at, end),
        complete: body.done,
      };
      if (end === badBody) {
        forwarded.splice(bodyFrom);
        return { messages, refused: 400 };
      }
      forwarded.push(source.toString("latin1", at, end));
      at = end;
      if (!body.done) break;
      inBody = false;
      ended = kind.isLast();
    }
  }
  return { messages, refused: null };
}

function withoutCuts(source: Buffer, head: RequestHead | AnswerHead): string {
  let text = "";
  let from = head.start;
  for (let cut = 0; cut < 2 * head.cutCount; cut += 2) {
    text += source.toString("latin1", from, head.cuts[cut]);
    from = head.cuts[cut + 1] as number; // inside
  }
  text += source.toString("latin1", from, head.end);
  // Whatever the server spoke, the client's connection speaks 1.1, and so mostly does the server's.
  if (head instanceof AnswerHead) return text.replace(/^HTTP\/1\.0/, "HTTP/1.1");
  return text.replace(/ HTTP\/1\.0\r\n/, ` HTTP/1.${head.forwardedMinorVersion}\r\n`);
}

function linesOf(text: string): string[] {
  return text
    .split("\r\n")
    .filter((line) => line !== "")
    .map((line) => {
      const colon = line.indexOf(":");
      return `${line.slice(0, colon).toLowerCase()}: ${line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, "")}`;
    });
}

/** A plain reading of a chunked body whose framing has been checked. */
function dechunked({ fields, body }: Message): string {
  if (!fields.some((line) => line.toLowerCase() === "transfer-encoding: chunked")) return body;
  let data = "";
  let rest = body;
  for (;;) {
    const size = Number.parseInt(rest, 16);
    const at = rest.indexOf("\r\n") + 2;
    if (!(size > 0) || at < 2) return data;
    data += rest.slice(at, at + size);
    rest = rest.slice(at + size + 2);
  }
}

interface NodeParser {
  initialize(kind: number, resource: object, headBytesMax: number, leniency: number): void;
  execute(bytes: Buffer): number | Error;
  finish(): undefined | Error;
  [callback: number]: (...args: never[]) => unknown;
}

interface NodeParserClass {
  new (): NodeParser;
  readonly REQUEST: number;
  readonly RESPONSE: number;
  readonly methods?: readonly string[];
  readonly kOnHeaders: number;
  readonly kOnHeadersComplete: number;
  readonly kOnBody: number;
  readonly kOnMessageComplete: number;
}

// Node's own door to llhttp, the one that its http module goes through; no type declarations exist for it.
const { HTTPParser, methods } = createRequire(import.meta.url)("_http_common") as {
  HTTPParser: NodeParserClass;
  methods: readonly string[];
};

/** Node's list for applications leaves one out that its parser knows. */
const methodOf = (number: number) => (number === 46 ? "QUERY" : methods[number]);

interface Open {
  line: string;
  fields: string[];
  body: string;
  complete: boolean;
}

export function readByNode(bytes: Buffer, kind: "requests" | "answers", { method = "GET", ended = false }: AskedFor = {}): Reading {
  const parser = new HTTPParser();
  parser.initialize(kind === "requests" ? HTTPParser.REQUEST : HTTPParser.RESPONSE, {}, 64 * 1024, 0);
  const messages: Open[] = [];
  let early: string[] = [];
  let url = "";
  const take = (flat: readonly string[]) => {
    for (let at = 0; at + 1 < flat.length; at += 2)
      early.push(`${flat[at]?.toLowerCase()}: ${flat[at + 1]?.replace(/^[ \t]+|[ \t]+$/g, "")}`);
  };
  parser[HTTPParser.kOnHeaders] = (flat: readonly string[], more: string) => {
    take(flat);
    url += more;
  };
  parser[HTTPParser.kOnHeadersComplete] = (
    _: number,
    _minor: number,
    flat: readonly string[] | undefined,
    number: number,
    target: string,
    status: number,
  ) => {
    if (flat !== undefined) take(flat);
    url += target ?? "";
    messages.push({ line: kind === "requests" ? `${methodOf(number)} ${url}` : String(status), fields: early, body: "", complete: false });
    early = [];
    url = "";
    return kind === "answers" && method === "HEAD" && status >= 200 ? 1 : 0;
  };
  parser[HTTPParser.kOnBody] = (part: Buffer) => {
    const last = messages.at(-1);
    if (last !== undefined) last.body += part.toString("latin1");
  };
  parser[HTTPParser.kOnMessageComplete] = () => {
    const last = messages.at(-1);
    if (last !== undefined) last.complete = true;
    // Trailers came the same way.
    early = [];
    url = "";
  };
  const end = parser.execute(bytes);
  const finished = ended && !(end instanceof Error) ? parser.finish() : undefined;
  return { messages, refused: end instanceof Error || finished instanceof Error ? 400 : null };
}
