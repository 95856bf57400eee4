/**
 * What every driver does (DESIGN §9): start and stop an instance by name. Both are idempotent and only
 * ask; outcomes come back as the monitor's inputs (`instance-started`, `instance-exited` ...).
 */
import type { InstanceId, NodeName } from "../model/node.ts";

export interface Regenerator {
  start(instance: InstanceId, node: NodeName, nodeIndex: number, generation: number): void;
  stop(instance: InstanceId, signal: "SIGTERM" | "SIGKILL", graceMs: number): void;
}
