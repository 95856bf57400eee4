/**
 * Answers of the forwarder's own: they say what happened and what to do, in the form that the client
 * accepts, and nothing of the inside.
 */
import type { IncomingMessage, ServerResponse } from "node:http";

export interface Refusal {
  readonly status: 400 | 502 | 503;
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
  text: "No server of this cluster is up, and too many requests wait already. This one was not executed; it is safe to send it again.",
  retryAfterSeconds: 10,
};

export const diedInProcess: Refusal = {
  status: 502,
  title: "Bad Gateway",
  text: "The server that was executing this request ended before it answered. The request may have been executed, so it was not sent again.",
};

export const notSavedWhole: Refusal = {
  status: 502,
  title: "Bad Gateway",
  text: "The server went away while it was receiving this request, and the request is too large to be kept and sent again.",
};

export function refuse(request: IncomingMessage, response: ServerResponse, refusal: Refusal): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const { type, body } = written(request.headers.accept ?? "", refusal);
  response.sendDate = true;
  response.writeHead(refusal.status, refusal.title, {
    "content-type": type,
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
    ...(refusal.retryAfterSeconds === undefined ? {} : { "retry-after": String(refusal.retryAfterSeconds) }),
  });
  response.end(request.method === "HEAD" ? undefined : body);
  request.resume();
}

function written(accept: string, { status, title, text }: Refusal): { type: string; body: string } {
  if (accept.includes("text/html")) {
    return {
      type: "text/html; charset=utf-8",
      body: `<!doctype html><meta charset="utf-8"><title>${status} ${title}</title><h1>${title}</h1><p>${text}</p>\n`,
    };
  }
  if (accept.includes("json")) return { type: "application/json", body: `${JSON.stringify({ status, error: title, message: text })}\n` };
  return { type: "text/plain; charset=utf-8", body: `${status} ${title}: ${text}\n` };
}
