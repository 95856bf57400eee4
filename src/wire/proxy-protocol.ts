/**
 * The PROXY protocol, versions 1 and 2 (HAProxy's `proxy-protocol.txt`): what a load balancer says, before the
 * first byte of a connection, of the client behind it. Strict: what is not exactly a header is malformed, and
 * the connection is to be closed. Which peers are believed is the caller's business.
 */
import { isIPv4, isIPv6 } from "../model/addresses.ts";

export interface ProxyHeader {
  /** The client; null: the balancer speaks for itself (LOCAL, UNKNOWN), and the connection's own address stands. */
  readonly client: { readonly address: string; readonly port: number } | null;
  /** Bytes that the header took. */
  readonly length: number;
}

/** What was read so far: a header, too little to say, or none. */
export type ProxyHeaderRead = ProxyHeader | "incomplete" | "malformed";

/** With its end of line; the longest that version 1 allows. */
const lineBytesMax = 107;
/** Addresses and what may follow them. Ours to choose: real ones stay far below. */
const version2BytesMax = 16 + 2_048;
const signature = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a];

export function readProxyHeader(bytes: Uint8Array): ProxyHeaderRead {
  if (bytes.length === 0) return "incomplete";
  return bytes[0] === signature[0] ? readVersion2(bytes) : readVersion1(bytes);
}

function readVersion1(bytes: Uint8Array): ProxyHeaderRead {
  const end = bytes.indexOf(0x0a);
  const seen = end < 0 ? bytes.length : end;
  const begins = "PROXY ";
  for (let at = 0; at < Math.min(seen, begins.length); at += 1) if (bytes[at] !== begins.charCodeAt(at)) return "malformed";
  if (end < 0) return bytes.length < lineBytesMax ? "incomplete" : "malformed";
  if (end >= lineBytesMax || bytes[end - 1] !== 0x0d) return "malformed";
  const line = String.fromCharCode(...bytes.subarray(begins.length, end - 1));
  if (line === "UNKNOWN" || line.startsWith("UNKNOWN ")) return { client: null, length: end + 1 };
  const words = line.split(" ");
  const [family = "", source = "", destination = "", sourcePort = "", destinationPort = ""] = words;
  const isAddress = family === "TCP4" ? isIPv4 : family === "TCP6" ? isIPv6 : () => false;
  if (words.length !== 5 || !isAddress(source) || !isAddress(destination)) return "malformed";
  if (!isPort(sourcePort) || !isPort(destinationPort)) return "malformed";
  return { client: { address: source, port: Number(sourcePort) }, length: end + 1 };
}

function readVersion2(bytes: Uint8Array): ProxyHeaderRead {
  for (let at = 0; at < Math.min(bytes.length, signature.length); at += 1) if (bytes[at] !== signature[at]) return "malformed";
  if (bytes.length < 16) return "incomplete";
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const versionAndCommand = view.getUint8(12);
  const familyAndTransport = view.getUint8(13);
  const length = 16 + view.getUint16(14);
  if (versionAndCommand >> 4 !== 2 || (versionAndCommand & 0xf) > 1 || length > version2BytesMax) return "malformed";
  // Of a connection of the balancer's own the rest says nothing, not even of which kind it is.
  const local = (versionAndCommand & 0xf) === 0;
  if (!local && (familyAndTransport >> 4 > 3 || (familyAndTransport & 0xf) > 2)) return "malformed";
  if (bytes.length < length) return "incomplete";
  const family = familyAndTransport >> 4;
  // Of a Unix socket or an unknown family nothing is to be told.
  if (local || family === 0 || family === 3) return { client: null, length };
  const addressBytes = family === 1 ? 4 : 16;
  if (length < 16 + 2 * addressBytes + 4) return "malformed";
  const address = family === 1 ? bytes.subarray(16, 20).join(".") : writeIPv6(view);
  return { client: { address, port: view.getUint16(16 + 2 * addressBytes) }, length };
}

/** Groups without leading zeros, the longest run of zero groups cut (RFC 5952). */
function writeIPv6(view: DataView): string {
  const groups = Array.from({ length: 8 }, (_, at) => view.getUint16(16 + 2 * at));
  let cutAt = -1;
  let cutLength = 1;
  for (let at = 0; at < 8; at += 1) {
    let end = at;
    while (end < 8 && groups[end] === 0) end += 1;
    if (end - at > cutLength) {
      cutAt = at;
      cutLength = end - at;
    }
  }
  // An IPv4 client of a balancer's IPv6 socket: as Node writes it, so that it is known as one.
  if (cutAt === 0 && cutLength === 5 && groups[5] === 0xffff) return `::ffff:${[28, 29, 30, 31].map((at) => view.getUint8(at)).join(".")}`;
  const written = groups.map((group) => group.toString(16));
  if (cutAt < 0) return written.join(":");
  return `${written.slice(0, cutAt).join(":")}::${written.slice(cutAt + cutLength).join(":")}`;
}

function isPort(text: string): boolean {
  return /^(0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535;
}
