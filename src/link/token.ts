/**
 * Capabilities. One key for each life of a cluster, held by init and given to Coppice's own processes;
 * what an instance gets (its token, its mark) derives from the key, so nobody keeps a list.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import type { PeerRole } from "../model/control.ts";
import type { InstanceId } from "../model/node.ts";

/** Proof that a peer is who it says: hex HMAC-SHA256 of `${role}:${id}`. */
export function tokenFor(clusterKey: string, role: PeerRole, id: string): string {
  return createHmac("sha256", clusterKey).update(`${role}:${id}`).digest("hex");
}

/** What the forwarders' private header must carry for this instance to believe it. */
export function markFor(clusterKey: string, instance: InstanceId): string {
  return createHmac("sha256", clusterKey).update(`mark:${instance}`).digest("hex").slice(0, 32);
}

/** The same for all instances of a cluster. */
export function fingerprintKeyFor(clusterKey: string): string {
  return createHmac("sha256", clusterKey).update("fingerprint").digest("hex");
}

/** Compares in constant time. */
export function tokenIsRight(clusterKey: string, role: PeerRole, id: string, token: string): boolean {
  const expected = Buffer.from(tokenFor(clusterKey, role, id));
  const given = Buffer.from(token);
  return given.length === expected.length && timingSafeEqual(given, expected);
}
