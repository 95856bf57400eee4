/**
 * One aging model for each instance, fed with what the probe and the outside sampler say. A sample is
 * merged from both; without a probe the outside reading alone goes in. Reports are made anew with every
 * sample; who is aging, the monitor is told each time while it stands. Instances of one release are each
 * other's control group, the ended ones too.
 */
import { constants } from "node:os";
import { LoadProfile } from "../aging/load-profile.ts";
import { AgingModel } from "../aging/model.ts";
import { PeerGroup, type PeerMember } from "../aging/peers.ts";
import type { InstanceId } from "../model/node.ts";
import type { AgingReport } from "../model/report.ts";
import type { UpstreamTraffic } from "../model/routes.ts";
import type { Sample } from "../model/sample.ts";
import type { Settings } from "../model/settings.ts";
import type { Exit } from "../monitor/nodes.ts";
import { InstanceTraffic } from "./instance-traffic.ts";
import { cpuRatio, type OutsideReading, ProcessTree, readProcess } from "./outside-sampler.ts";

type Ended = Pick<Exit, "code" | "signal">;

interface Watched {
  readonly pid: number;
  /** The process itself said that it serves; else it is the first of its tree. */
  readonly isServer: boolean;
  readonly tree: ProcessTree;
  readonly model: AgingModel;
  readonly group: PeerGroup;
  readonly member: PeerMember;
  readonly traffic: InstanceTraffic;
  outside: { readonly reading: OutsideReading; readonly atMs: number } | null;
  cpu: number | null;
  probeAtMs: number | null;
  latest: Sample | null;
  report: AgingReport | null;
  /** And was not healthy since. */
  wasAging: boolean;
}

/** Of older releases nothing runs any more, or soon will not. */
const releasesMax = 4;

/** Who ends by SIGABRT below this share of its heap's limit has another fault. */
const ranOutRatioMin = 0.7;

export interface AgingWatchOptions {
  /** As they are by now. */
  readonly settings: () => Pick<Settings, "horizonMs" | "sampleIntervalMs">;
  readonly regenerationMs: () => number;
  /** What an instance may have resident now (shares change with `coppice scale`); null: not known. */
  readonly rssLimitBytes: (instance: InstanceId) => number | null;
  /** What an instance runs; those of one release are compared. */
  readonly releaseOf: (instance: InstanceId) => string;
  /** What was read of one, from inside and outside together. */
  readonly onSample: (instance: InstanceId, sample: Sample) => void;
  readonly onAging: (instance: InstanceId, report: AgingReport) => void;
  /** One that was aging is healthy. */
  readonly onHealthy: (instance: InstanceId) => void;
}

export class AgingWatch {
  readonly #options: AgingWatchOptions;
  readonly #watched = new Map<InstanceId, Watched>();
  readonly #groups = new Map<string, PeerGroup>();
  readonly #day = new LoadProfile();

  constructor(options: AgingWatchOptions) {
    this.#options = options;
  }

  /** `isServer`: the process itself said that it serves; else it is the first of its tree, as init started it. */
  begin(instance: InstanceId, pid: number, isServer = false): void {
    const known = this.#watched.get(instance);
    if (known !== undefined && (known.pid === pid || !isServer)) return;
    // The process that serves takes the place of the first of its tree.
    known?.group.leave(known.member);
    const group = this.#group(this.#options.releaseOf(instance));
    const member = group.join();
    const { settings, regenerationMs } = this.#options;
    const model = new AgingModel({
      get horizonMs() {
        return settings().horizonMs;
      },
      regenerationMs,
      peers: member,
    });
    const nothing = { outside: null, cpu: null, probeAtMs: null, latest: null, report: null, wasAging: false };
    const traffic = known?.traffic ?? new InstanceTraffic();
    this.#watched.set(instance, { pid, isServer, tree: new ProcessTree(pid), model, group, member, traffic, ...nothing });
  }

  end(instance: InstanceId, exit: Ended | null = null): void {
    const watched = this.#watched.get(instance);
    if (watched !== undefined && exit !== null && hasAborted(exit)) learnWhere(watched);
    watched?.group.leave(watched.member);
    this.#watched.delete(instance);
  }

  #group(release: string): PeerGroup {
    const known = this.#groups.get(release) ?? new PeerGroup(this.#day);
    this.#groups.delete(release);
    this.#groups.set(release, known);
    for (const oldest of [...this.#groups.keys()].slice(0, -releasesMax)) this.#groups.delete(oldest);
    return known;
  }

  report(instance: InstanceId): AgingReport | null {
    return this.#watched.get(instance)?.report ?? null;
  }

  /** Of the process that serves, or of the first of its tree. */
  pid(instance: InstanceId): number | null {
    return this.#watched.get(instance)?.pid ?? null;
  }

  latest(instance: InstanceId): Sample | null {
    return this.#watched.get(instance)?.latest ?? null;
  }

  traffic(instance: InstanceId): InstanceTraffic | null {
    return this.#watched.get(instance)?.traffic ?? null;
  }

  forwarderCounted(forwarder: string, traffic: UpstreamTraffic): void {
    this.#watched.get(traffic.id)?.traffic.heard(forwarder, traffic);
  }

  forwarderGone(forwarder: string): void {
    for (const { traffic } of this.#watched.values()) traffic.gone(forwarder);
  }

  /** Called each sample interval: reads everybody from outside, and samples those whose probe is silent. */
  tick(nowMs: number): void {
    for (const [instance, watched] of this.#watched) {
      const reading = watched.isServer ? readProcess(watched.pid) : watched.tree.read();
      if (reading === null) continue;
      if (watched.outside !== null) watched.cpu = cpuRatio(watched.outside.reading, reading, nowMs - watched.outside.atMs);
      watched.outside = { reading, atMs: nowMs };
      const silentMs = nowMs - (watched.probeAtMs ?? 0);
      if (silentMs > 3 * this.#options.settings().sampleIntervalMs)
        this.#add(instance, watched, { atMs: nowMs, indicators: {}, limits: {} });
    }
  }

  probeSample(instance: InstanceId, sample: Sample): void {
    const watched = this.#watched.get(instance);
    if (watched === undefined) return;
    watched.probeAtMs = sample.atMs;
    this.#add(instance, watched, sample);
  }

  #add(instance: InstanceId, watched: Watched, probe: Sample): void {
    const { outside, cpu, traffic, probeAtMs } = watched;
    const rssLimitBytes = this.#options.rssLimitBytes(instance);
    // The forwarders' only where the probe never counted: a change from one to the other looks like a restart, or like a rush of requests.
    const requestsTotal = probe.requestsTotal ?? (probeAtMs === null ? traffic.requestsTotal : watched.latest?.requestsTotal);
    const sample: Sample = {
      ...probe,
      ...(requestsTotal === undefined ? {} : { requestsTotal }),
      indicators: {
        ...outside?.reading.indicators,
        ...(cpu === null ? {} : { cpuRatio: cpu }),
        ...(traffic.latencyP99Ms === undefined ? {} : { latencyP99Ms: traffic.latencyP99Ms }),
        ...probe.indicators,
      },
      limits: { ...outside?.reading.limits, ...(rssLimitBytes === null ? {} : { rssBytes: rssLimitBytes }), ...probe.limits },
    };
    watched.latest = sample;
    this.#options.onSample(instance, sample);
    watched.model.add(sample);
    watched.report = watched.model.report(sample.atMs);
    const { verdict } = watched.report;
    if (verdict === "aging") this.#options.onAging(instance, watched.report);
    else if (verdict === "healthy" && watched.wasAging) this.#options.onHealthy(instance);
    watched.wasAging = verdict === "aging" || (watched.wasAging && verdict !== "healthy");
  }
}

/** As V8 ends a process without memory; a shell in between makes a code of it. */
function hasAborted({ code, signal }: Ended): boolean {
  return signal === "SIGABRT" || code === 128 + constants.signals.SIGABRT;
}

/** V8 gives up where collections gain little, which may be well below the limit of its heap. */
function learnWhere({ latest, group }: Watched): void {
  const [floor, limit] = [latest?.indicators.heapAfterGcBytes, latest?.limits.heapAfterGcBytes];
  if (floor !== undefined && limit !== undefined && floor >= ranOutRatioMin * limit) group.ranOut("heapAfterGcBytes", floor);
}
