/**
 * An answer as it is written for a client of HTTP/1.1 (each head in one piece, each body as its head says) on its way into the frames
 * of one stream of HTTP/2. When data goes out is http2-answer-body.ts's business.
 */
import { AnswerHead } from "../wire/answer-head.ts";
import { BodyReader } from "../wire/body.ts";
import { fieldLines, framing } from "../wire/head.ts";
import { AnswerData } from "./answer-data.ts";
import type { AnswerBody } from "./http2-answer-body.ts";
import type { Http2Output } from "./http2-output.ts";

// One of each serves all: they keep nothing from one call to the next.
const head = new AnswerHead();
const data = new AnswerData();

/** Reads the next answer's body; one that does not come in one piece takes it along. */
let spare = new BodyReader();
const noBody = new BodyReader();

export class Http2Answer {
  readonly forHead: boolean;
  readonly #body: AnswerBody;
  readonly #output: Http2Output;
  /** The head of the final answer went out. */
  #begun = false;
  #reader = noBody;
  #trailers = "";

  /** `forHead`: whatever its head says, no body follows. */
  constructor(body: AnswerBody, output: Http2Output, forHead: boolean) {
    this.#body = body;
    this.#output = output;
    this.forHead = forHead;
  }

  write(bytes: Buffer): void {
    if (this.#begun) {
      data.read(this.#reader, bytes, 0);
      this.#writeData();
    } else this.#writeHeads(bytes);
  }

  /** The 101 of a WebSocket's server is a 200 here, without what was said for HTTP/1.1 alone (RFC 8441 §5); all that follows is data. */
  agree(block: Buffer, from: number, to: number): void {
    head.read(block, from, to, false, true, false); // whole, for it was read before
    const lines = webSocketLines(block, head);
    this.#output.headers(this.#body.stream, 200, lines, 0, lines.length, false);
    this.#begun = true;
    this.#reader = new BodyReader();
    this.#reader.begin(framing.untilClose, 0);
  }

  #writeHeads(bytes: Buffer): void {
    for (let from = 0; from < bytes.length && !this.#begun; from = head.end) {
      head.read(bytes, from, bytes.length, this.forHead, false, false); // whole, for it was read before
      const { fieldsAt, fieldsEnd, isInterim, status } = head;
      if (isInterim) this.#output.headers(this.#body.stream, status, bytes, fieldsAt, fieldsEnd, false);
      else this.#begin(bytes);
    }
  }

  #begin(bytes: Buffer): void {
    this.#begun = true;
    const reader = spare;
    reader.begin(head.framing, head.contentLength);
    data.read(reader, bytes, head.end);
    if (!reader.done) {
      this.#reader = reader;
      spare = new BodyReader();
    }
    const { fieldsAt, fieldsEnd, status } = head;
    const ends = reader.done && data.from === data.to && data.trailers === "";
    this.#output.headers(this.#body.stream, status, bytes, fieldsAt, fieldsEnd, ends);
    if (ends) this.#body.endedByHead();
    else this.#writeData();
  }

  #writeData(): void {
    const { bytes, from, to, owned, trailers } = data;
    this.#trailers += trailers;
    if (this.#body.ending) return; // there is to be none
    if (!this.#reader.done) this.#body.write(bytes, from, to, owned);
    else if (this.#trailers === "") this.#body.endWith(bytes, from, to, owned);
    else {
      this.#body.write(bytes, from, to, owned);
      this.#body.end(Buffer.from(this.#trailers, "latin1"));
    }
  }
}

function webSocketLines(bytes: Buffer, { fieldsAt, fieldsEnd }: AnswerHead): Buffer {
  const lines: string[] = [];
  for (const { nameAt, nameEnd, valueEnd } of fieldLines(bytes, fieldsAt, fieldsEnd))
    if (bytes.toString("latin1", nameAt, nameEnd).toLowerCase() !== "sec-websocket-accept")
      lines.push(bytes.toString("latin1", nameAt, valueEnd + 2));
  return Buffer.from(lines.join(""), "latin1");
}
