/** The specification of a simulated cluster. */
import { defaultSettings } from "../config/declared.ts";
import type { ClusterSpec } from "../model/birth.ts";
import type { Release } from "../model/node.ts";
import type { Settings } from "../model/settings.ts";

export function simRelease(id: string): Release {
  const asTyped = { script: "/current/server.js", arguments: [], workingDirectory: "/current" };
  const workingDirectory = `/releases/${id}`;
  const script = `${workingDirectory}/server.js`;
  return { id, kind: "script", nodePath: "/node", script, arguments: [], workingDirectory, environment: {}, asTyped };
}

export function simSpec(nodes: number, settings: Partial<Settings> = {}, forwarders = 1): ClusterSpec {
  return {
    name: "sim",
    nodes,
    forwarders,
    tls: [],
    accessLog: null,
    port: null,
    release: simRelease("1"),
    settings: { ...defaultSettings, ...settings },
    memory: null,
    regenerate: settings.regenerate === "in-place" ? "in-place" : "replace",
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
