/**
 * One declaration a setting: default, unit, range, documentation. The type is model's `Settings`; the
 * command line, the documents and the error messages all read this table. Pure.
 */
import { isNetwork } from "../model/addresses.ts";
import { parsePeriod, WeekCalendar } from "../model/calendar.ts";
import { CoppiceError } from "../model/errors.ts";
import { knownIndicators } from "../model/sample.ts";
import type { Settings } from "../model/settings.ts";

type NumberKey = { [K in keyof Settings]: Settings[K] extends number ? K : never }[keyof Settings];

interface NumberSetting {
  readonly default: number;
  readonly min: number;
  readonly max: number;
  readonly doc: string;
}

const second = 1_000;
const minute = 60 * second;
const day = 24 * 60 * minute;
const mebibyte = 1024 * 1024;

export const numberSettings: Readonly<Record<NumberKey, NumberSetting>> = {
  sampleIntervalMs: { default: second, min: 50, max: minute, doc: "Time between two samples of an instance." },
  drainTimeoutMs: { default: 30 * second, min: 0, max: day, doc: "How long a cordoned instance may take to finish its requests." },
  killTimeoutMs: { default: 10 * second, min: 0, max: 10 * minute, doc: "Grace between SIGTERM and SIGKILL of an instance." },
  startTimeoutMs: { default: minute, min: 100, max: day, doc: "How long a new instance may take until it listens." },
  stuckTimeoutMs: {
    default: 30 * second,
    min: 0,
    max: day,
    doc: "An instance whose event loop is blocked for so long is ended and started anew; 0: never. Longer than the longest computation.",
  },
  minReadyMs: { default: 2 * second, min: 0, max: 10 * minute, doc: "How long a new instance must listen before it counts as ready." },
  slowStartMs: { default: 10 * second, min: 0, max: 10 * minute, doc: "Over this time a regrown instance gets its share of the traffic." },
  quietMs: { default: 100, min: 0, max: minute, doc: "How long an instance must have been without request to count as drained." },
  fenceTimeoutMs: { default: 5 * second, min: 100, max: minute, doc: "How long forwarders and instance may take to confirm a cordon." },
  handOffTimeoutMs: { default: 10 * second, min: 100, max: 10 * minute, doc: "How long the hand-off of an instance's sessions may take." },
  evidenceTimeoutMs: { default: 5 * second, min: 0, max: 10 * minute, doc: "How long collecting evidence on a drained instance may take." },
  minRegenerationIntervalMs: {
    default: minute,
    min: 0,
    max: day,
    doc: "Time between two automatic regenerations of the cluster; less where an instance would be exhausted before its turn.",
  },
  maxConsecutiveFailures: { default: 3, min: 1, max: 100, doc: "After so many failed regenerations the automatic ones stop." },
  maxAgeMs: {
    default: 0,
    min: 0,
    max: 366 * day,
    doc: "Each instance is regenerated when it has served for so long, at the latest; the nodes are spread evenly over the time. 0: as long as it is well.",
  },
  maxRequests: {
    default: 0,
    min: 0,
    max: 1e15,
    doc: "Each instance is regenerated when it has served so many requests, at the latest; the nodes are spread evenly over them. 0: as many as come.",
  },
  probationMs: { default: minute, min: 0, max: day, doc: "How long a regrown instance is watched before the regeneration is verified." },
  releaseWatchMs: {
    default: 10 * second,
    min: 0,
    max: day,
    doc: "How long the first node on a new release is watched before the others follow.",
  },
  horizonMs: {
    default: 30 * minute,
    min: second,
    max: 30 * day,
    doc: "A trend that may exhaust an instance inside this time makes it aging; inside 1.5 % of its life, or the time that regenerating all that age together takes, where that is longer.",
  },
  parkTimeoutMs: { default: 30 * second, min: 0, max: 10 * minute, doc: "How long a request is held while no node can take it." },
  parkedMax: { default: 1_000, min: 0, max: 1_000_000, doc: "How many requests are held at once; shared out over the forwarders." },
  saveBodyBytesMax: { default: mebibyte, min: 0, max: 1024 * mebibyte, doc: "The largest request body that is saved for sending again." },
  saveBytesMax: {
    default: 256 * mebibyte,
    min: 0,
    max: 16_384 * mebibyte,
    doc: "Bytes of saved bodies of all requests together, shared out over the forwarders; where it is not set, 5 % of memory at most.",
  },
  heldAnswerBytesMax: {
    default: 64 * 1024,
    min: 0,
    max: 64 * mebibyte,
    doc: "Answers up to this size are held until whole; those without a length for 25 ms at most, event streams never.",
  },
  headBytesMax: {
    default: 32 * 1024,
    min: 1024,
    max: mebibyte,
    doc: "The longest head of a request: its line and its header fields. Node servers read 16 KiB, unless told otherwise.",
  },
  headTimeoutMs: { default: minute, min: 100, max: day, doc: "How long a client may take to send a request's head." },
  bodyTimeoutMs: { default: minute, min: 100, max: day, doc: "How long a request's body may stop coming." },
  idleTimeoutMs: {
    default: 75 * second,
    min: 100,
    max: day,
    doc: "How long a client's connection may wait for its next request; longer than common load balancers' idle time.",
  },
  writeTimeoutMs: {
    default: 2 * minute,
    min: 100,
    max: day,
    doc: "How long a client may take nothing of its answer before its connection is closed; the system's buffers count as taken.",
  },
  connectTimeoutMs: {
    default: 5 * second,
    min: 10,
    max: 10 * minute,
    doc: "How long connecting to a node's TCP port may take (nodes without a probe); then the request goes to another node, and not to this one again.",
  },
  connectionsMax: {
    default: 20_000,
    min: 1,
    max: 1_000_000,
    doc: "Connections of clients to one forwarder, and three quarters of its descriptors (`ulimit -n`) at most; past them one that has been idle for a second is closed for each new one, and where none is, the new one.",
  },
  nodeRequestsMax: {
    default: 0,
    min: 0,
    max: 1_000_000,
    doc: "Requests in process at one node, for each forwarder; more wait. 0: no limit.",
  },
  stopTimeoutMs: { default: 8 * second, min: 100, max: day, doc: "How long stopping the cluster may take to finish what is in process." },
  sessionStoreTimeoutMs: {
    default: 30 * second,
    min: 100,
    max: 10 * minute,
    doc: "How long a session operation waits for the replicator.",
  },
  restartBackoffMsMin: { default: 200, min: 0, max: 10 * minute, doc: "Pause before the first restart after a crash; doubles with each." },
  restartBackoffMsMax: { default: 30 * second, min: 0, max: day, doc: "Longest pause before a restart." },
  crashLoopRestarts: { default: 10, min: 1, max: 10_000, doc: "So many crashes inside crashLoopWindowMs make a node `failed`." },
  crashLoopWindowMs: { default: 10 * minute, min: second, max: day, doc: "See crashLoopRestarts." },
  memoryLimitBytes: {
    default: 0,
    min: 0,
    max: 2 ** 50,
    doc: "What the whole cluster may take; 0: what the container, else the machine, has.",
  },
};

interface ChoiceSetting {
  readonly choices: readonly [string, ...string[]];
  readonly doc: string;
}

type ChoiceKey = "mode" | "regenerate";

/** The first choice is the default. */
export const choiceSettings: Readonly<Record<ChoiceKey, ChoiceSetting>> = {
  mode: {
    choices: ["automatic", "supervised", "observe"],
    doc: "`supervised`: say what is to be regenerated, and wait for `coppice regenerate`; `observe`: say what would be, and do nothing by itself, not even end an instance that is stuck.",
  },
  regenerate: {
    choices: ["auto", "replace", "in-place"],
    doc: "`replace`: the new instance starts beside the old one; `in-place`: after it; `auto`: beside it where memory has room.",
  },
};

interface SwitchSetting {
  readonly default: boolean;
  readonly doc: string;
}

type SwitchKey = { [K in keyof Settings]: Settings[K] extends boolean ? K : never }[keyof Settings];

export const switchSettings: Readonly<Record<SwitchKey, SwitchSetting>> = {
  proxyProtocol: {
    default: false,
    doc: "A load balancer in front says who each client is (PROXY protocol, v1 or v2): required of every connection.",
  },
  replaceSessionStore: { default: true, doc: "The default in-memory session store is replaced by the cluster's own." },
  resendWithIdempotencyKey: {
    default: false,
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
  readonly doc: string;
}

type ListKey = "affinityCookies" | "forbiddenTimes" | "maintenanceWindows" | "trustProxy" | "watermarks";

export const listSettings: Readonly<Record<ListKey, ListSetting>> = {
  affinityCookies: {
    default: ["connect.sid", "sessionId", "sid"],
    accepts: (item) => /^[!#$%&'*+.^_`|~\w-]+$/.test(item),
    accepted: "names of cookies",
    doc: "Cookies that affinity goes by; the application's own is learned.",
  },
  trustProxy: {
    default: [],
    accepts: isNetwork,
    accepted: "addresses or networks (10.0.0.0/8, 2001:db8::/32)",
    doc: "Proxies in front whose X-Forwarded-* nodes without a probe are told; others' are not believed.",
  },
  maintenanceWindows: {
    default: [],
    accepts: isPeriod,
    accepted: periods,
    doc: "Automatic regenerations wait for these times (the machine's local ones), unless an instance would be exhausted before; who may not live until the next one goes in this one. None: any time.",
  },
  forbiddenTimes: {
    default: [],
    accepts: isPeriod,
    accepted: periods,
    doc: "No automatic regeneration begins in these times, not even if an instance is about to be exhausted; who is forecast to be goes before.",
  },
  watermarks: {
    default: [],
    accepts: isWatermark,
    accepted: "indicators with a level (rssBytes:600000000)",
    doc: "Who stays above one for ten seconds is regenerated, whatever the aging model says. Indicators are named as in `coppice status --json`.",
  },
};

export const defaultSettings: Settings = {
  ...(Object.fromEntries(Object.entries(numberSettings).map(([key, setting]) => [key, setting.default])) as Record<NumberKey, number>), // fromEntries loses the keys' type
  ...(Object.fromEntries(Object.entries(switchSettings).map(([key, setting]) => [key, setting.default])) as Record<SwitchKey, boolean>), // as above
  ...(Object.fromEntries(Object.entries(listSettings).map(([key, setting]) => [key, setting.default])) as Record<ListKey, string[]>), // as above
  mode: "automatic",
  regenerate: "auto",
};

/**
 * Defaults with the given values over them. Values may be text, as from a command line.
 * @throws CoppiceError COPPICE_SETTING that names the key, the value and what is accepted.
 */
export function parseSettings(given: Readonly<Record<string, unknown>>): Settings {
  const settings: Record<string, unknown> = { ...defaultSettings };
  for (const key of Object.keys(given).sort()) settings[key] = parseSetting(key, given[key]);
  const parsed = settings as unknown as Settings; // every key was checked against the declarations
  if (parsed.forbiddenTimes.length > 0 && !new WeekCalendar(parsed).has("open"))
    throw refusal(
      "forbiddenTimes",
      parsed.forbiddenTimes.join(","),
      "what leaves some time for regenerations, inside of maintenanceWindows",
    );
  return parsed;
}

function parseSetting(key: string, value: unknown): unknown {
  if (Object.hasOwn(numberSettings, key)) return parseNumber(key as NumberKey, value); // its own key, just seen
  if (Object.hasOwn(switchSettings, key)) {
    if (value === true || value === "true") return true;
    if (value === false || value === "false") return false;
    throw refusal(key, value, "true or false");
  }
  if (Object.hasOwn(choiceSettings, key)) {
    const { choices } = choiceSettings[key as ChoiceKey]; // its own key, just seen
    if (choices.some((choice) => choice === value)) return value;
    throw refusal(key, value, choices.join(" or "));
  }
  if (Object.hasOwn(listSettings, key)) {
    const { accepts, accepted } = listSettings[key as ListKey]; // its own key, just seen
    const items =
      typeof value === "string"
        ? value
            .split(",")
            .map((item) => item.trim())
            .filter((item) => item !== "")
        : value;
    if (Array.isArray(items) && items.every((item) => typeof item === "string" && accepts(item))) return items;
    throw refusal(key, value, `${accepted}, separated by commas`);
  }
  throw new CoppiceError("COPPICE_SETTING", `there is no setting "${key}"${suggestion(key)}`, { facts: { key } });
}

function parseNumber(key: NumberKey, value: unknown): number {
  const { min, max } = numberSettings[key];
  const number = typeof value === "string" && /^\d+$/.test(value.replaceAll("_", "")) ? Number(value.replaceAll("_", "")) : value;
  if (typeof number === "number" && Number.isInteger(number) && number >= min && number <= max) return number;
  const unit = key.endsWith("Ms") || key.includes("Ms") ? " milliseconds" : key.includes("Bytes") ? " bytes" : "";
  throw refusal(key, value, `a whole number from ${min} to ${max}${unit}, without a unit`);
}

function refusal(key: string, value: unknown, accepted: string): CoppiceError {
  return new CoppiceError("COPPICE_SETTING", `${key} is ${JSON.stringify(value)}; accepted is ${accepted}`, {
    facts: { key, value, accepted },
  });
}

function suggestion(key: string): string {
  const known = [
    ...Object.keys(numberSettings),
    ...Object.keys(choiceSettings),
    ...Object.keys(switchSettings),
    ...Object.keys(listSettings),
  ];
  const close = known.find((name) => name.toLowerCase() === key.toLowerCase() || name.toLowerCase().startsWith(key.toLowerCase()));
  return close === undefined ? `; known are: ${known.join(", ")}` : `; did you mean "${close}"?`;
}
