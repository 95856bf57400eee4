/**
 * What the forwarder writes in front of a request's own fields. A node with a probe gets the private
 * header, which only the forwarder may write: what a client sent under that name was cut when its head
 * was read. A node without a probe sees the forwarder as its client and gets the customary fields.
 */
import { randomUUID } from "node:crypto";
import { elementOf, elementsOf, type Said, saidIn } from "./forwarded.ts";
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
/** Of what proxies in front have said, and a little more than a dozen of them say. */
const saidCharactersMax = 600;

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
  const row = (name: string) => (trusted ? lastOf(request.fieldList(name)) : null);
  const listed = {
    addresses: row("x-forwarded-for"),
    proto: said("x-forwarded-proto"),
    host: said("x-forwarded-host"),
  };
  const before = row("forwarded") ?? elementsOf(listed);
  const { addresses, ...came } = isSilent(listed) && before !== null ? saidIn(before) : listed;
  const host = came.host ?? request.fieldValue("host")?.slice(0, hostCharactersMax) ?? "";
  const own = encrypted ? "https" : "http";
  const lines = [`X-Forwarded-For: ${joined(addresses, client)}`, `X-Forwarded-Proto: ${came.proto ?? own}`];
  if (host !== "") lines.push(`X-Forwarded-Host: ${host}`);
  lines.push(`Forwarded: ${joined(before, elementOf(client, own, host))}`);
  // A line that says nothing is none.
  const hasId = /[^, ]/.test(request.fieldList(requestIdName) ?? "");
  if (!hasId) lines.push(`X-Request-Id: ${randomUUID()}`);
  // Of a trusted proxy, further ones (X-Forwarded-Port ...) go on as they are; it writes none with underscores.
  const isReplaced = trusted ? (name: string) => written.has(name) || (name.includes("_") && isForwarded(name)) : isForwarded;
  request.dropFields((name) => isReplaced(name) || (!hasId && name === requestIdName));
  return Buffer.from(`${lines.join("\r\n")}\r\n`, "latin1");
}

function isSilent({ addresses, proto, host }: Said): boolean {
  return addresses === null && proto === null && host === null;
}

function saidOf(request: SavedRequest, name: string): string | null {
  const value = request.fieldList(name);
  return value === null || value === "" || value.length > saidCharactersMax ? null : value;
}

/** Of a longer row the last ones: what proxies have added stands behind what a client made up, which is not to make them unheard. */
function lastOf(list: string | null): string | null {
  if (list === null || list.length <= saidCharactersMax) return list === "" ? null : list;
  const tail = list.slice(-saidCharactersMax);
  let from = tail.length;
  for (let at = tail.length - 1, quotes = 0; at >= 0; at -= 1) {
    if (tail[at] === '"') quotes += 1;
    else if (tail[at] === "," && quotes % 2 === 0) from = at + 1; // in no quotation
  }
  return tail.slice(from).trim() || null;
}

function joined(before: string | null, last: string): string {
  return before === null ? last : `${before}, ${last}`;
}

/** A client of IPv4 is known by its IPv4 address, whatever the listening socket is. */
function ownFamily(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, "");
}
