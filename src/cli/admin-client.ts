/**
 * Calls to the admin API. The monitor may be away for a moment (init restarts it): a call waits for it,
 * half a minute at most, as long as the cluster's init lives. If it goes away in the middle, a question is asked
 * again, and an order is not: it may have been taken.
 */
import { type IncomingMessage, request } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { livingInit } from "../init/home.ts";
import { type AdminError, adminRoutes, type ClusterStatus } from "../model/admin.ts";
import type { ClusterPaths } from "../model/birth.ts";
import { CoppiceError, type ErrorCode } from "../model/errors.ts";
import { packageVersion } from "./package-version.ts";

/** Where there is little of the processor, the next one takes its time to start. */
const monitorAwayMsMax = 30_000;
const retryMs = 100;
/** A monitor that ends so often at a question will again. */
export const cutShortMax = 3;
const neverConnected: ReadonlySet<string> = new Set(["ECONNREFUSED", "ENOENT"]);

export interface AdminCall {
  readonly method: string;
  readonly path: string;
  readonly body?: object;
}

/** The answer's JSON, of the shape that model/admin.ts declares for the route. */
export async function callAdmin<Answer>(paths: ClusterPaths, call: AdminCall): Promise<Answer> {
  for (let cutShort = 1; ; cutShort += 1) {
    const answer = await openAdmin(paths, call);
    const text = await wholeText(answer);
    if (text === null) {
      if (call.method !== "GET" || cutShort >= cutShortMax) throw endedMeanwhile();
      continue;
    }
    const value: unknown = JSON.parse(text);
    // The daemon's own code made it, from the same declarations.
    if ((answer.statusCode ?? 500) < 400) return value as Answer;
    if (isNoRoute(value)) throw await olderCluster(paths, call);
    const { code, message } = value as AdminError; // as above
    // An error's code is one of ours; a newer daemon's is printed as it is.
    throw new CoppiceError(code as ErrorCode, message);
  }
}

/** What is ours has a code. */
function isNoRoute(value: unknown): boolean {
  return typeof value === "object" && value !== null && "statusCode" in value && value.statusCode === 404 && !("code" in value);
}

async function olderCluster(paths: ClusterPaths, { path }: AdminCall): Promise<CoppiceError> {
  const status =
    path === adminRoutes.status.path ? null : await callAdmin<Pick<ClusterStatus, "version">>(paths, adminRoutes.status).catch(() => null);
  const its = status === null ? "" : ` (${status.version})`;
  return new CoppiceError(
    "COPPICE_OLDER_CLUSTER",
    `the cluster runs an older Coppice${its}, which does not know this command yet; coppice restart starts it anew with this one (${packageVersion()}): ` +
      "clients wait or are refused meanwhile, and sessions end",
    { facts: { version: status?.version ?? null } },
  );
}

/** Null: it was cut short. */
async function wholeText(answer: IncomingMessage): Promise<string | null> {
  let text = "";
  try {
    for await (const chunk of answer.setEncoding("utf8")) text += String(chunk);
    return text;
  } catch {
    return null;
  }
}

function endedMeanwhile(cause?: unknown): CoppiceError {
  return new CoppiceError(
    "COPPICE_CLUSTER_NOT_RUNNING",
    "the cluster's monitor ended in the middle of its answer; coppice events shows what became of this",
    { cause },
  );
}

/** The answer as a stream, its head read. */
export async function openAdmin(paths: ClusterPaths, call: AdminCall, awayMsMax = monitorAwayMsMax): Promise<IncomingMessage> {
  let deadlineMs: number | null = null; // from when it is known to be away: one that hangs is ended by init after a while
  for (;;) {
    try {
      return await send(paths, call);
    } catch (cause) {
      if (livingInit(paths) === null) {
        throw new CoppiceError("COPPICE_CLUSTER_NOT_RUNNING", "the cluster has stopped", { cause });
      }
      if (call.method !== "GET" && !neverConnected.has((cause as NodeJS.ErrnoException).code ?? "")) throw endedMeanwhile(cause); // Node's own
      deadlineMs ??= Date.now() + awayMsMax;
      if (Date.now() > deadlineMs) {
        throw new CoppiceError(
          "COPPICE_CLUSTER_NOT_RUNNING",
          `the cluster's monitor does not answer (${String(cause)}); the cluster itself serves on`,
          {
            cause,
            retryable: true,
          },
        );
      }
      await pause(retryMs);
    }
  }
}

function send(paths: ClusterPaths, { method, path, body }: AdminCall): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const headers = payload === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(payload) };
    const call = request({ socketPath: paths.adminSocket, method, path, headers }, resolve);
    call.on("error", reject);
    call.end(payload);
  });
}
