/**
 * One declaration a setting: default, unit, range, when a change of it acts, documentation. The type is model's `Settings`; the
 * command line, the documents, the JSON Schema and the error messages all read this table. Pure.
 */
import { isNetwork } from "../model/addresses.ts";
import { parsePeriod } from "../model/calendar.ts";
import { knownIndicators } from "../model/sample.ts";
import type { Acts, Settings } from "../model/settings.ts";

export type NumberKey = { [K in keyof Settings]: Settings[K] extends number ? K : never }[keyof Settings];

interface NumberSetting {
  readonly default: number;
  readonly min: number;
  readonly max: number;
  readonly acts: Acts;
  readonly doc: string;
}

const second = 1_000;
const minute = 60 * second;
const day = 24 * 60 * minute;
const mebibyte = 1024 * 1024;

export const numberSettings: Readonly<Record<NumberKey, NumberSetting>> = {
  sampleIntervalMs: { default: second, min: 50, max: minute, acts: "next-start", doc: "Time between two samples of an instance." },
  drainTimeoutMs: {
    default: 30 * second,
    min: 0,
    max: day,
    acts: "at-once",
    doc: "How long a cordoned instance may take to finish its requests.",
  },
  killTimeoutMs: {
    default: 10 * second,
    min: 0,
    max: 10 * minute,
    acts: "at-once",
    doc: "Grace between SIGTERM and SIGKILL of an instance.",
  },
  startTimeoutMs: { default: minute, min: 100, max: day, acts: "at-once", doc: "How long a new instance may take until it listens." },
  stuckTimeoutMs: {
    default: 30 * second,
    min: 0,
    max: day,
    acts: "at-once",
    doc: "An instance whose event loop is blocked for so long, though it had the processor, is ended and started anew; 0: never. Longer than the longest computation.",
  },
  minReadyMs: {
    default: 2 * second,
    min: 0,
    max: 10 * minute,
    acts: "at-once",
    doc: "How long a replacement must listen before it takes over from the one that serves; where none serves, it does so at once.",
  },
  slowStartMs: {
    default: 10 * second,
    min: 0,
    max: 10 * minute,
    acts: "at-once",
    doc: "Over this time a regrown instance gets its share of the traffic.",
  },
  quietMs: {
    default: 100,
    min: 0,
    max: minute,
    acts: "new-instances",
    doc: "How long an instance must have been without request to count as drained.",
  },
  fenceTimeoutMs: {
    default: 5 * second,
    min: 100,
    max: minute,
    acts: "at-once",
    doc: "How long forwarders and instance may take to confirm a cordon.",
  },
  handOffTimeoutMs: {
    default: 10 * second,
    min: 100,
    max: 10 * minute,
    acts: "at-once",
    doc: "How long the hand-off of an instance's sessions may take.",
  },
  evidenceTimeoutMs: {
    default: 5 * second,
    min: 0,
    max: 10 * minute,
    acts: "at-once",
    doc: "How long collecting evidence on a drained instance may take.",
  },
  minRegenerationIntervalMs: {
    default: minute,
    min: 0,
    max: day,
    acts: "at-once",
    doc: "Time between two automatic regenerations of the cluster; less where an instance would be exhausted before its turn.",
  },
  maxConsecutiveFailures: {
    default: 3,
    min: 1,
    max: 100,
    acts: "at-once",
    doc: "After so many failed regenerations the automatic ones stop.",
  },
  maxAgeMs: {
    default: 0,
    min: 0,
    max: 366 * day,
    acts: "at-once",
    doc: "Each instance is regenerated when it has served for so long, at the latest; without windows the nodes are spread evenly over the time. 0: as long as it is well.",
  },
  maxRequests: {
    default: 0,
    min: 0,
    max: 1e15,
    acts: "at-once",
    doc: "Each instance is regenerated when it has served so many requests, at the latest; the nodes are spread evenly over them. 0: as many as come.",
  },
  probationMs: {
    default: minute,
    min: 0,
    max: day,
    acts: "at-once",
    doc: "How long a regrown instance is watched before the regeneration is verified.",
  },
  releaseWatchMs: {
    default: 10 * second,
    min: 0,
    max: day,
    acts: "at-once",
    doc: "How long the first node on a new release is watched before the others follow.",
  },
  horizonMs: {
    default: 30 * minute,
    min: second,
    max: 30 * day,
    acts: "at-once",
    doc: "A trend that may exhaust an instance inside this time makes it aging; inside 1.5 % of its life, or the time that regenerating all that age together takes, where that is longer.",
  },
  parkTimeoutMs: {
    default: 30 * second,
    min: 0,
    max: 10 * minute,
    acts: "at-once",
    doc: "How long a request is held while no node can take it.",
  },
  parkedMax: {
    default: 1_000,
    min: 0,
    max: 1_000_000,
    acts: "at-once",
    doc: "How many requests are held at once; shared out over the forwarders.",
  },
  saveBodyBytesMax: {
    default: mebibyte,
    min: 0,
    max: 1024 * mebibyte,
    acts: "at-once",
    doc: "The largest request body that is saved for sending again.",
  },
  saveBytesMax: {
    default: 256 * mebibyte,
    min: 0,
    max: 16_384 * mebibyte,
    acts: "at-once",
    doc: "Bytes of saved bodies of all requests together, shared out over the forwarders; where it is not set, 5 % of memory at most.",
  },
  heldAnswerBytesMax: {
    default: 64 * 1024,
    min: 0,
    max: 64 * mebibyte,
    acts: "at-once",
    doc: "Answers up to this size are held until whole; those without a length for 25 ms at most, event streams never.",
  },
  headBytesMax: {
    default: 32 * 1024,
    min: 1024,
    max: mebibyte,
    acts: "next-start",
    doc: "The longest head of a request: its line and its header fields. Node servers read 16 KiB, unless told otherwise.",
  },
  headTimeoutMs: { default: minute, min: 100, max: day, acts: "at-once", doc: "How long a client may take to send a request's head." },
  bodyTimeoutMs: { default: minute, min: 100, max: day, acts: "at-once", doc: "How long a request's body may stop coming." },
  idleTimeoutMs: {
    default: 75 * second,
    min: 100,
    max: day,
    acts: "at-once",
    doc: "How long a client's connection may wait for its next request; longer than common load balancers' idle time.",
  },
  writeTimeoutMs: {
    default: 2 * minute,
    min: 100,
    max: day,
    acts: "at-once",
    doc: "How long a client may take nothing of its answer before its connection is closed; the system's buffers count as taken.",
  },
  connectTimeoutMs: {
    default: 5 * second,
    min: 10,
    max: 10 * minute,
    acts: "at-once",
    doc: "How long connecting to a node's TCP port may take (nodes without a probe); then the request goes to another node, and not to this one again.",
  },
  connectionsMax: {
    default: 20_000,
    min: 1,
    max: 1_000_000,
    acts: "at-once",
    doc: "Connections of clients to one forwarder, and three quarters of its descriptors (`ulimit -n`) at most; past them one that has been idle for a second is closed for each new one, and where none is, the new one.",
  },
  nodeRequestsMax: {
    default: 0,
    min: 0,
    max: 1_000_000,
    acts: "at-once",
    doc: "Requests in process at one node, for each forwarder; more wait. 0: no limit.",
  },
  stopTimeoutMs: {
    default: 8 * second,
    min: 100,
    max: day,
    acts: "next-start",
    doc: "How long stopping the cluster may take to finish what is in process.",
  },
  sessionStoreTimeoutMs: {
    default: 30 * second,
    min: 100,
    max: 10 * minute,
    acts: "new-instances",
    doc: "How long a session operation waits for the replicator.",
  },
  restartBackoffMsMin: {
    default: 200,
    min: 0,
    max: 10 * minute,
    acts: "at-once",
    doc: "Pause before the first restart after a crash; doubles with each. Up to a quarter longer, by the node, so that not all start at once.",
  },
  restartBackoffMsMax: {
    default: 30 * second,
    min: 0,
    max: day,
    acts: "at-once",
    doc: "Longest pause before a restart, but for that quarter.",
  },
  crashLoopRestarts: {
    default: 10,
    min: 1,
    max: 10_000,
    acts: "at-once",
    doc: "So many crashes inside crashLoopWindowMs make a node `failed`.",
  },
  crashLoopWindowMs: { default: 10 * minute, min: second, max: day, acts: "at-once", doc: "See crashLoopRestarts." },
  memoryLimitBytes: {
    default: 0,
    min: 0,
    max: 2 ** 50,
    acts: "next-start",
    doc: "What the whole cluster may take; 0: what the container, else the machine, has.",
  },
};

interface ChoiceSetting {
  readonly choices: readonly [string, ...string[]];
  readonly acts: Acts;
  readonly doc: string;
}

export type ChoiceKey = "mode" | "regenerate";

/** The first choice is the default. */
export const choiceSettings: Readonly<Record<ChoiceKey, ChoiceSetting>> = {
  mode: {
    choices: ["automatic", "supervised", "observe"],
    acts: "at-once",
    doc: "`supervised`: say what is to be regenerated, and wait for `coppice regenerate`; `observe`: say what would be, and do nothing by itself, not even end an instance that is stuck.",
  },
  regenerate: {
    choices: ["auto", "replace", "in-place"],
    acts: "at-once",
    doc: "`replace`: the new instance starts beside the old one; `in-place`: after it; `auto`: beside it where memory has room.",
  },
};

interface SwitchSetting {
  readonly default: boolean;
  readonly acts: Acts;
  readonly doc: string;
}

export type SwitchKey = { [K in keyof Settings]: Settings[K] extends boolean ? K : never }[keyof Settings];

export const switchSettings: Readonly<Record<SwitchKey, SwitchSetting>> = {
  proxyProtocol: {
    default: false,
    acts: "next-start",
    doc: "A load balancer in front says who each client is (PROXY protocol, v1 or v2): required of every connection.",
  },
  replaceSessionStore: {
    default: true,
    acts: "next-start",
    doc: "The default in-memory session store is replaced by the cluster's own.",
  },
  resendWithIdempotencyKey: {
    default: false,
    acts: "at-once",
    doc: "The application honours `Idempotency-Key`: a POST or PATCH that carries one may be sent again when its node died.",
  },
};

function isWatermark(item: string): boolean {
  const [, indicator, level] = /^(\w+):(\d+(?:\.\d+)?)$/.exec(item) ?? [];
  return Number(level) > 0 && knownIndicators.some((known) => known === indicator);
}

const periods = "times of the week (02:00-05:00, Sat 22:00-06:00, Mon-Fri 08:00-18:00)";
const isPeriod = (item: string) => parsePeriod(item) !== null;

interface ListSetting {
  readonly default: readonly string[];
  readonly accepts: (item: string) => boolean;
  /** What is accepted, in words. */
  readonly accepted: string;
  readonly acts: Acts;
  readonly doc: string;
}

export type ListKey = "affinityCookies" | "forbiddenTimes" | "maintenanceWindows" | "trustProxy" | "watermarks";

export const listSettings: Readonly<Record<ListKey, ListSetting>> = {
  affinityCookies: {
    default: ["connect.sid", "sessionId", "sid"],
    accepts: (item) => /^[!#$%&'*+.^_`|~\w-]+$/.test(item),
    accepted: "names of cookies",
    acts: "at-once",
    doc: "Cookies that affinity goes by; the application's own is learned.",
  },
  trustProxy: {
    default: [],
    accepts: isNetwork,
    accepted: "addresses or networks (10.0.0.0/8, 2001:db8::/32)",
    acts: "at-once",
    doc: "Proxies in front whose X-Forwarded-* nodes without a probe are told; others' are not believed.",
  },
  maintenanceWindows: {
    default: [],
    accepts: isPeriod,
    accepted: periods,
    acts: "at-once",
    doc: "Automatic regenerations wait for these times (the machine's local ones), unless an instance would be exhausted before; who may not live until the next one goes in this one. None: any time.",
  },
  forbiddenTimes: {
    default: [],
    accepts: isPeriod,
    accepted: periods,
    acts: "at-once",
    doc: "No automatic regeneration begins in these times, not even if an instance is about to be exhausted; who is forecast to be goes before.",
  },
  watermarks: {
    default: [],
    accepts: isWatermark,
    accepted: "indicators with a level (rssBytes:600000000)",
    acts: "at-once",
    doc: "Who stays above one for ten seconds is regenerated, whatever the aging model says. Indicators are named as in `coppice status --json`.",
  },
};
