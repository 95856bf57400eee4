/**
 * Answers of the forwarder's own: they say what happened and what to do, in the form that the client
 * accepts, and nothing of the inside.
 */
import { preferredForm } from "./accept.ts";

export interface Refusal {
  readonly status: number;
  readonly title: string;
  readonly text: string;
  readonly retryAfterSeconds?: number;
}

export const parkedTooLong: Refusal = {
  status: 503,
  title: "Service Unavailable",
  text: "No server of this cluster could take the request in time. It was not executed; it is safe to send it again.",
  retryAfterSeconds: 5,
};

export const tooManyParked: Refusal = {
  status: 503,
  title: "Service Unavailable",
  text: "No server of this cluster can take the request now, and too many wait already. This one was not executed; it is safe to send it again.",
  retryAfterSeconds: 10,
};

export const diedInProcess: Refusal = {
  status: 502,
  title: "Bad Gateway",
  text: "The server that was executing this request ended before it answered. The request may have been executed, so it was not sent again.",
};

export const diedTwice: Refusal = {
  status: 502,
  title: "Bad Gateway",
  text: "Two servers that were executing this request ended before they answered. It may have been executed, and is not sent a third time.",
};

export const notSavedWhole: Refusal = {
  status: 502,
  title: "Bad Gateway",
  text: "The server went away while it was receiving this request, and the request is too large to be kept and sent again.",
};

export const badAnswer: Refusal = {
  status: 502,
  title: "Bad Gateway",
  text: "The server's answer was not valid HTTP, or could be read in more than one way, so it was not passed on. The request was executed.",
};

export const notAgreed: Refusal = {
  status: 502,
  title: "Bad Gateway",
  text: "The server did not agree to the protocol that was asked for, and answered as to any request. In HTTP/2 that would look like its consent, so it was not passed on.",
};

export const tooSlow: Refusal = {
  status: 408,
  title: "Request Timeout",
  text: "The request did not arrive whole in time. It is safe to send it again.",
};

/** The last that a request may reach (Max-Forwards). */
export const noFurther: Refusal = {
  status: 200,
  title: "OK",
  text: "This is what stands in front of the servers; the request was to go no further.",
};

const malformed: Refusal = {
  status: 400,
  title: "Bad Request",
  text: "The request is malformed, or two servers could read it differently.",
};

const byStatus: ReadonlyMap<number, Refusal> = new Map(
  [
    { status: 414, title: "URI Too Long", text: "The request's target is longer than this server reads." },
    { status: 431, title: "Request Header Fields Too Large", text: "The request's head is larger than this server reads." },
    { status: 501, title: "Not Implemented", text: "The request's method or transfer coding is not known here." },
    { status: 505, title: "HTTP Version Not Supported", text: "This server speaks HTTP/1.1." },
  ].map((refusal) => [refusal.status, refusal]),
);

/** Of a request that was not read as one. */
export function refusalOf(status: number): Refusal {
  return byStatus.get(status) ?? malformed;
}

/** The whole answer as bytes. */
export function written(refusal: Refusal, accept: string, withBody: boolean, close: boolean): Buffer {
  const { type, body } = bodyOf(accept, refusal);
  const head = [
    `HTTP/1.1 ${refusal.status} ${refusal.title}`,
    `content-type: ${type}`,
    `content-length: ${Buffer.byteLength(body)}`,
    "cache-control: no-store",
    `date: ${new Date().toUTCString()}`,
  ];
  if (refusal.retryAfterSeconds !== undefined) head.push(`retry-after: ${refusal.retryAfterSeconds}`);
  if (close) head.push("connection: close");
  return Buffer.from(`${head.join("\r\n")}\r\n\r\n${withBody ? body : ""}`);
}

function bodyOf(accept: string, { status, title, text }: Refusal): { type: string; body: string } {
  const form = preferredForm(accept);
  if (form === "application/json") return { type: form, body: `${JSON.stringify({ status, error: title, message: text })}\n` };
  const type = `${form}; charset=utf-8`;
  if (form === "text/plain") return { type, body: `${status} ${title}: ${text}\n` };
  const head = `<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><meta name="color-scheme" content="light dark"><title>${status} ${title}</title>`;
  return { type, body: `<!doctype html><html lang="en">${head}<h1>${title}</h1><p>${text}</p></html>\n` };
}
