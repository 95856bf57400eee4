/** Where an instance listens, as the route table says it: the path of a Unix socket, or `127.0.0.1:port` of a node without a probe. */

export type UpstreamAddress = { readonly path: string } | { readonly host: string; readonly port: number };

export function upstreamAddress(socket: string): UpstreamAddress {
  if (socket.startsWith("/")) return { path: socket };
  const at = socket.lastIndexOf(":");
  return { host: socket.slice(0, at), port: Number(socket.slice(at + 1)) };
}
