/**
 * What the forwarder writes in front of a request's own fields. A node with a probe gets the private
 * header, which only the forwarder may write: what a client sent under that name was cut when its head
 * was read. A node without a probe sees the forwarder as its client and gets the customary fields.
 */
import { randomUUID } from "node:crypto";
import type { SavedRequest } from "./saved-request.ts";
import type { TrustedProxies } from "./trusted-proxies.ts";

export const clientHeader = "x-coppice-client";

/** Who is on the other side of a connection, and how it came. */
export interface ClientFacts {
  readonly address: string;
  readonly port: number;
  readonly encrypted: boolean;
}

/** The end of the private header's line. */
export function addressLineOf({ address, port, encrypted }: ClientFacts): Buffer {
  return Buffer.from(`${address} ${port}${encrypted ? " https" : ""}\r\n`, "latin1");
}

const written: ReadonlySet<string> = new Set(["forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"]);
const requestIdName = "x-request-id";
const hostCharactersMax = 300;
/** What proxies in front have said; a longer row of them is none. */
const saidCharactersMax = 400;

function isForwarded(name: string): boolean {
  const dashed = name.replaceAll("_", "-");
  return written.has(dashed) || dashed.startsWith("x-forwarded-");
}

/**
 * The lines for a node without a probe, in place of those in the request. What a trusted proxy in front said
 * is gone on with; what anybody else said is dropped.
 */
export function forwardedLines(request: SavedRequest, { address, encrypted }: ClientFacts, proxies: TrustedProxies): Buffer {
  const client = ownFamily(address);
  const trusted = proxies.trusts(client);
  const said = (name: string) => (trusted ? saidOf(request, name) : null);
  const host = said("x-forwarded-host") ?? request.fieldValue("host")?.slice(0, hostCharactersMax) ?? "";
  const own = encrypted ? "https" : "http";
  const proto = said("x-forwarded-proto") ?? own;
  const node = client.includes(":") ? `"[${client}]"` : client;
  const lines = [`X-Forwarded-For: ${joined(said("x-forwarded-for"), client)}`, `X-Forwarded-Proto: ${proto}`];
  if (host !== "") lines.push(`X-Forwarded-Host: ${host}`);
  const element = `for=${node};proto=${own}${host === "" || /["\\]/.test(host) ? "" : `;host="${host}"`}`;
  lines.push(`Forwarded: ${joined(said("forwarded"), element)}`);
  // A line that says nothing is none.
  const hasId = /[^, ]/.test(request.fieldList(requestIdName) ?? "");
  if (!hasId) lines.push(`X-Request-Id: ${randomUUID()}`);
  // Of a trusted proxy, further ones (X-Forwarded-Port ...) go on as they are; it writes none with underscores.
  const isReplaced = trusted ? (name: string) => written.has(name) || (name.includes("_") && isForwarded(name)) : isForwarded;
  request.dropFields((name) => isReplaced(name) || (!hasId && name === requestIdName));
  return Buffer.from(`${lines.join("\r\n")}\r\n`, "latin1");
}

function saidOf(request: SavedRequest, name: string): string | null {
  const value = request.fieldList(name);
  return value === null || value === "" || value.length > saidCharactersMax ? null : value;
}

function joined(before: string | null, last: string): string {
  return before === null ? last : `${before}, ${last}`;
}

/** A client of IPv4 is known by its IPv4 address, whatever the listening socket is. */
function ownFamily(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, "");
}
