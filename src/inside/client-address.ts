/**
 * The client's connection, as the server would have seen it. The forwarder sends the client's address as the first
 * header of each request; the probe reads it, hides it, and makes the private socket say what the client's own
 * connection would have said. A header without the right mark is hidden too, and not believed.
 */
import { IncomingMessage, type Server } from "node:http";
import { isIPv6, type Socket } from "node:net";

const privateHeader = "x-coppice-client";

type AddHeaderLines = (this: IncomingMessage, headers: string[], count: number) => void;
interface Internals {
  _addHeaderLines: AddHeaderLines;
}

let trusted: string | null = null;

/** From now on requests with this mark say who their client is. */
export function trustClientHeader(mark: string): void {
  if (trusted !== null) return;
  trusted = mark;
  const prototype = IncomingMessage.prototype as unknown as Internals; // Node's own method, the same on all versions from 18
  const addHeaderLines = prototype._addHeaderLines;
  prototype._addHeaderLines = function (this: IncomingMessage, headers: string[], count: number): void {
    if (headers[0] !== undefined && headers[0].length === privateHeader.length && headers[0].toLowerCase() === privateHeader) {
      believe(this.socket, headers[1] ?? "", mark);
      addHeaderLines.call(this, headers.slice(2), count - 2);
    } else addHeaderLines.call(this, headers, count);
  };
}

/** Where the client connected to: the port; the address too, where the server does not listen on all of them. */
export function sayListener(server: Server, socket: Socket): void {
  const at = server.address();
  if (at === null || typeof at === "string") return;
  const { address, ...portAndFamily } = at;
  const said = address === "::" || address === "0.0.0.0" ? portAndFamily : at;
  // Where net.Socket takes localPort, localAddress and localFamily from; a Unix socket has none of them.
  Object.assign(socket, { _getsockname: () => said });
}

function believe(socket: Socket, value: string, mark: string): void {
  const [given, address, port, scheme] = value.split(" ");
  if (given !== mark || address === undefined || port === undefined) return;
  // Where net.Socket keeps what getpeername said; remoteAddress, remotePort and remoteFamily read it.
  const told = socket as Socket & { _peername?: { address: string; port: number; family: string }; encrypted?: boolean };
  told._peername = { address, port: Number(port), family: isIPv6(address) ? "IPv6" : "IPv4" };
  // As a TLS socket says it: frameworks take the scheme, and whether secure cookies may be set, from here. Clients of
  // both kinds may follow each other on one private connection.
  if (scheme === "https") told.encrypted = true;
  else delete told.encrypted;
}
