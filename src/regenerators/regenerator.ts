/**
 * What every driver does: start and stop an instance by name. Both are idempotent and only
 * ask; outcomes come back as the monitor's inputs (`instance-started`, `instance-exited` ...).
 */
import type { InstanceStart } from "../model/birth.ts";
import type { InstanceId } from "../model/node.ts";

export interface Regenerator {
  start(order: InstanceStart): void;
  stop(instance: InstanceId, signal: "SIGTERM" | "SIGKILL", graceMs: number): void;
}
