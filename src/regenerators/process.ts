/**
 * The `process` driver: an instance is a process that init starts and stops. The driver says what to do
 * in init's words; init's answers come back to the monitor as they are.
 */
import type { InstanceStart, ToInit } from "../model/birth.ts";
import type { InstanceId } from "../model/node.ts";
import type { Regenerator } from "./regenerator.ts";

export function processRegenerator(tellInit: (message: ToInit) => void): Regenerator {
  return {
    start({ instance, node, nodeIndex, generation, release, heapLimitBytes, settings }: InstanceStart): void {
      tellInit({ kind: "start", instance, node, nodeIndex, generation, release, heapLimitBytes, settings });
    },
    stop(instance: InstanceId, signal: "SIGTERM" | "SIGKILL", graceMs: number): void {
      tellInit({ kind: "stop", instance, signal, graceMs });
    },
  };
}
