/**
 * Header rules between client and application: what passes untouched (order and case too), what belongs
 * to one connection only (RFC 9110 §7.6.1), and the private header that only the forwarder may write.
 * Headers are flat arrays, name and value in turn, as Node's parser gives them.
 */

import type { IncomingMessage } from "node:http";

export const clientHeader = "x-coppice-client";
export const fencedHeader = "x-coppice-fenced";

const hopByHop: ReadonlySet<string> = new Set(["connection", "keep-alive", "proxy-connection", "te", "upgrade", "proxy-authenticate"]);

/** For a node without a probe, which sees the forwarder as its client. What the client itself said of that is not believed. */
export function forwardedHeaders({ socket, headers }: IncomingMessage): string[] {
  const host = headers.host === undefined ? [] : ["X-Forwarded-Host", headers.host];
  // A client of IPv4 is known by its IPv4 address, whatever the listening socket is.
  const client = socket.remoteAddress?.replace(/^::ffff:(?=\d+\.)/i, "") ?? "unknown";
  return ["X-Forwarded-For", client, "X-Forwarded-Proto", "http", ...host];
}

function isForwarded(lower: string): boolean {
  return lower === "forwarded" || lower.replaceAll("_", "-").startsWith("x-forwarded-");
}

/** Headers for the application. `first` is written in front of all: the private header, or the forwarded ones. */
export function requestHeaders(raw: readonly string[], first: readonly string[]): string[] {
  const named = connectionTokens(raw);
  const headers = [...first];
  const forwarded = first[0] !== clientHeader;
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at] ?? "";
    const lower = name.toLowerCase();
    // The forwarder has answered `Expect: 100-continue` itself.
    if (hopByHop.has(lower) || named.has(lower) || lower === "expect" || isPrivate(lower)) continue;
    if (forwarded && isForwarded(lower)) continue;
    headers.push(name, raw[at + 1] ?? "");
  }
  return headers;
}

/** For an upgrade the connection's own headers are the point: only the private one is taken out. */
export function upgradeHeaders(raw: readonly string[], first: readonly string[]): string[] {
  const headers = [...first];
  const forwarded = first[0] !== clientHeader;
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at] ?? "";
    const lower = name.toLowerCase();
    if (!isPrivate(lower) && !(forwarded && isForwarded(lower))) headers.push(name, raw[at + 1] ?? "");
  }
  return headers;
}

export function answerHeaders(raw: readonly string[]): string[] {
  const named = connectionTokens(raw);
  const headers: string[] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at] ?? "";
    const lower = name.toLowerCase();
    if (hopByHop.has(lower) || named.has(lower) || isPrivate(lower)) continue;
    headers.push(name, raw[at + 1] ?? "");
  }
  return headers;
}

/** Some servers read an underscore as a dash: both spellings are ours. */
function isPrivate(lower: string): boolean {
  return (
    lower.length === clientHeader.length &&
    lower.startsWith("x") &&
    (lower.replaceAll("_", "-") === clientHeader || lower.replaceAll("_", "-") === fencedHeader)
  );
}

const noTokens: ReadonlySet<string> = new Set();

function connectionTokens(raw: readonly string[]): ReadonlySet<string> {
  for (let at = 0; at + 1 < raw.length; at += 2) {
    if (raw[at]?.toLowerCase() !== "connection") continue;
    const value = raw[at + 1]?.toLowerCase() ?? "";
    if (value === "keep-alive" || value === "close" || value === "") continue;
    // Framing is never up to the Connection header.
    return new Set(
      value
        .split(",")
        .map((token) => token.trim())
        .filter((token) => token !== "content-length" && token !== "transfer-encoding"),
    );
  }
  return noTokens;
}
