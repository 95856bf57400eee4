/**
 * The two ways in which proxies in front say who their client was: X-Forwarded-*, and Forwarded (RFC 7239). A server reads
 * one of them, and nobody knows which: where a proxy has spoken one way alone, what it said is told the other way too (§7.4).
 */
import { isIPv4, isIPv6 } from "node:net";

/** Each null where it was not said. */
export interface Said {
  /** A list, the client first. */
  readonly addresses: string | null;
  readonly proto: string | null;
  readonly host: string | null;
}

/** Scheme and host are what the client came with: it is the first of the elements. Null: nothing was said. */
export function elementsOf({ addresses, proto, host }: Said): string | null {
  const [client = "unknown", ...proxies] = listOf(addresses);
  const first = elementOf(client, listOf(proto)[0], listOf(host)[0]);
  if (addresses === null && first === "for=unknown") return null;
  return [first, ...proxies.map((proxy) => elementOf(proxy))].join(", ");
}

/** What could not be said without an end to a quotation is left out. */
export function elementOf(address: string, proto = "", host = ""): string {
  const saidProto = /^[a-z][a-z\d+.-]*$/i.test(proto) ? `;proto=${proto}` : "";
  return `for=${nodeOf(address)}${saidProto}${host === "" || /["\\]/.test(host) ? "" : `;host="${host}"`}`;
}

export function saidIn(forwarded: string): Said {
  const elements = forwarded.match(/(?:[^,"]|"(?:[^"\\]|\\.)*")+/g) ?? [];
  const addresses = elements.map((element) => addressOf(parameterOf(element, "for") ?? "")).filter((address) => address !== "");
  const [first = ""] = elements;
  return {
    addresses: addresses.length === 0 ? null : addresses.join(", "),
    proto: parameterOf(first, "proto"),
    host: parameterOf(first, "host"),
  };
}

function listOf(said: string | null): string[] {
  return (said ?? "")
    .split(",")
    .map((one) => one.trim())
    .filter((one) => one !== "");
}

/** An address, with a port or without; a name that was made up for one; or that nobody can say (§6). */
function nodeOf(address: string): string {
  if (isIPv4(address) || /^(unknown|_[\w.-]+)$/i.test(address)) return address;
  if (isIPv6(address)) return `"[${address}]"`;
  const [, bracketed = "", plain = ""] = /^(?:\[([^\]]+)\](?::\d{1,5})?|([^:]+):\d{1,5})$/.exec(address) ?? [];
  return isIPv6(bracketed) || isIPv4(plain) ? `"${address}"` : "unknown";
}

/** Without brackets and port. */
function addressOf(node: string): string {
  const [, bracketed, plain] = /^(?:\[([^\]]+)\](?::\w+)?|([^:]+):\w+)$/.exec(node) ?? [];
  return bracketed ?? plain ?? node;
}

function parameterOf(element: string, name: string): string | null {
  for (const pair of element.match(/(?:[^;"]|"(?:[^"\\]|\\.)*")+/g) ?? []) {
    const at = pair.indexOf("=");
    if (pair.slice(0, at).trim().toLowerCase() !== name) continue;
    const value = pair.slice(at + 1).trim();
    return value.startsWith('"') ? value.slice(1, -1).replace(/\\(.)/g, "$1") : value;
  }
  return null;
}
