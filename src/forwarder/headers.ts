/**
 * What the forwarder writes in front of a request's own fields. A node with a probe gets the private
 * header, which only the forwarder may write: what a client sent under that name was cut when its head
 * was read. A node without a probe sees the forwarder as its client and gets the customary fields; what
 * the client itself said in those is not believed.
 */
import { randomUUID } from "node:crypto";
import type { SavedRequest } from "./saved-request.ts";

export const clientHeader = "x-coppice-client";

/** Who is on the other side of a connection, and how it came. */
export interface ClientFacts {
  readonly address: string;
  readonly port: number;
  readonly encrypted: boolean;
}

const forwarded: ReadonlySet<string> = new Set(["forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"]);
const hostCharactersMax = 300;

export function isForwarded(name: string): boolean {
  const dashed = name.replaceAll("_", "-");
  return forwarded.has(dashed) || dashed.startsWith("x-forwarded-");
}

/** The lines for a node without a probe; the client's own ones are taken out of the request. */
export function forwardedLines(request: SavedRequest, { address, encrypted }: ClientFacts): Buffer {
  request.dropFields(isForwarded);
  const host = request.fieldValue("host")?.slice(0, hostCharactersMax) ?? "";
  const client = ownFamily(address);
  const proto = encrypted ? "https" : "http";
  const node = client.includes(":") ? `"[${client}]"` : client;
  const lines = [`X-Forwarded-For: ${client}`, `X-Forwarded-Proto: ${proto}`];
  if (host !== "") lines.push(`X-Forwarded-Host: ${host}`);
  lines.push(`Forwarded: for=${node};proto=${proto}${host === "" ? "" : `;host="${host}"`}`);
  if (request.fieldValue("x-request-id") === null) lines.push(`X-Request-Id: ${randomUUID()}`);
  return Buffer.from(`${lines.join("\r\n")}\r\n`, "latin1");
}

/** A client of IPv4 is known by its IPv4 address, whatever the listening socket is. */
function ownFamily(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, "");
}
