/** What `coppice status` shows: the core's view of the nodes, with what the peers and the models say of them. */
import type { ClusterStatus, NodeStatus } from "../model/admin.ts";
import type { ClusterSpec, Welcome } from "../model/birth.ts";
import { heapLimit, instanceShare } from "../model/memory.ts";
import type { MonitorState } from "../monitor/state.ts";
import { listeners, nodeStates } from "../monitor/view.ts";
import type { AgingWatch } from "./aging-watch.ts";
import { noCounts } from "./instance-traffic.ts";
import type { Peers } from "./peers.ts";
import { version } from "./version.ts";

export interface StatusSources {
  readonly welcome: Welcome;
  readonly state: MonitorState;
  readonly peers: Peers;
  readonly watch: AgingWatch;
  readonly notices: ClusterStatus["notices"];
  readonly monitorStartedAtMs: number;
}

export function clusterStatus({ welcome, state, peers, watch, notices, monitorStartedAtMs }: StatusSources): ClusterStatus {
  const forwarders = [...peers.forwarders.values()];
  const nodes = nodeStates(state, Date.now()).map((node): NodeStatus => {
    const traffic = forwarders.flatMap(({ upstreams }) => upstreams.filter(({ id }) => id === node.instance));
    const counted = node.instance === null ? null : watch.traffic(node.instance);
    const latest = node.instance === null ? null : watch.latest(node.instance);
    const counts = counted?.counts ?? noCounts;
    return {
      ...node,
      pid: (node.instance === null ? null : watch.pid(node.instance)) ?? node.pid,
      inFlight: traffic.reduce((sum, { total }) => sum + total, 0),
      ...counts,
      // What a forwarder that is gone had counted, a monitor that is new never heard: the server's own count goes on.
      requestsTotal: Math.max(counts.requestsTotal, latest?.requestsTotal ?? 0),
      latencyP50Ms: counted?.latencyP50Ms ?? null,
      latencyP99Ms: counted?.latencyP99Ms ?? null,
      report: node.instance === null ? null : watch.report(node.instance),
      indicators: Object.fromEntries(
        Object.entries(latest?.indicators ?? {}).filter((entry): entry is [string, number] => entry[1] !== undefined),
      ),
    };
  });
  return {
    name: welcome.spec.name,
    version,
    init: { pid: welcome.initPid },
    monitor: { pid: process.pid, startedAtMs: monitorStartedAtMs },
    forwarders: forwarders.map(({ id, pid, parked, connections, stalledTotal }) => ({ id, pid, parked, connections, stalledTotal })),
    replicator: {
      pid: peers.replicator?.pid ?? null,
      sessions: peers.replicator?.sessions ?? null,
      conflictsTotal: peers.replicator?.conflictsTotal ?? null,
    },
    listeners: listeners(state),
    nodes,
    memory: memoryOf(state.spec ?? welcome.spec, nodes.length),
    release: runningRelease(state, welcome),
    reloadingTo: state.rollout?.release ?? null,
    notices,
    regenerations: { succeeded: state.succeeded, failed: state.failed },
    halted: state.halted,
    mode: (state.spec ?? welcome.spec).settings.mode,
    calendar: state.calendar,
  };
}

function memoryOf({ memory }: ClusterSpec, nodes: number): ClusterStatus["memory"] {
  return memory === null ? null : { ...memory, instanceBytes: instanceShare(memory, nodes), heapBytes: heapLimit(memory, nodes) };
}

function runningRelease({ releases, release }: MonitorState, { spec }: Welcome): ClusterStatus["release"] {
  const { id, workingDirectory, script, asTyped } = releases.find((one) => one.id === release) ?? spec.release;
  return { id, workingDirectory, script, asTyped };
}
