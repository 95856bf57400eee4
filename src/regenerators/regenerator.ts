/**
 * What every driver does: start and stop an instance by name. Both are idempotent and only
 * ask; outcomes come back as the monitor's inputs (`instance-started`, `instance-exited` ...).
 */
import type { InstanceSettings } from "../model/birth.ts";
import type { InstanceId, NodeName, Release } from "../model/node.ts";

export interface StartInstance {
  readonly instance: InstanceId;
  readonly node: NodeName;
  readonly nodeIndex: number;
  readonly generation: number;
  readonly release: Release;
  readonly heapLimitBytes: number | null;
  readonly settings: InstanceSettings;
}

export interface Regenerator {
  start(order: StartInstance): void;
  stop(instance: InstanceId, signal: "SIGTERM" | "SIGKILL", graceMs: number): void;
}
