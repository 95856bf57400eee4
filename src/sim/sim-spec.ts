/** The specification of a simulated cluster. */
import { defaultSettings } from "../config/settings.ts";
import type { ClusterSpec } from "../model/birth.ts";
import type { Settings } from "../model/settings.ts";

export function simSpec(nodes: number, settings: Partial<Settings> = {}): ClusterSpec {
  return {
    name: "sim",
    nodes,
    port: null,
    release: { id: "1", nodePath: "/node", nodeArguments: [], script: "/server.js", arguments: [], workingDirectory: "/", environment: {} },
    settings: { ...defaultSettings, ...settings },
    paths: {
      directory: "/c",
      controlSocket: "/c/c",
      adminSocket: "/c/a",
      storeSocket: "/c/s",
      listenDirectory: "/c/i",
      journalFile: "/c/j",
      eventsFile: "/c/e",
      sessionsFile: "/c/m",
      initFile: "/c/f",
    },
  };
}
