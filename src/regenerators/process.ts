/**
 * The `process` driver: an instance is a process that init starts and stops. The driver says what to do
 * in init's words; init's answers come back to the monitor as they are.
 */
import type { ToInit } from "../model/birth.ts";
import type { InstanceId, NodeName, Release } from "../model/node.ts";
import type { Regenerator } from "./regenerator.ts";

export function processRegenerator(release: Release, tellInit: (message: ToInit) => void): Regenerator {
  return {
    start(instance: InstanceId, node: NodeName, nodeIndex: number, generation: number): void {
      tellInit({ kind: "start", instance, node, nodeIndex, generation, release });
    },
    stop(instance: InstanceId, signal: "SIGTERM" | "SIGKILL", graceMs: number): void {
      tellInit({ kind: "stop", instance, signal, graceMs });
    },
  };
}
