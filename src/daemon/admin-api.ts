/**
 * The admin API over the private admin socket: what the command line asks and orders.
 * Routes and shapes are declared in model/admin.ts.
 */
import { rmSync } from "node:fs";
import { PassThrough } from "node:stream";
import Fastify, { type FastifyInstance, type FastifyReply } from "fastify";
import {
  type AdminError,
  adminRoutes,
  type ChangeSettingsRequest,
  type ClusterStatus,
  nodesMax,
  type RegenerateAccepted,
  type RegenerateRequest,
  type ReloadAccepted,
  type ReloadRequest,
  type ResumeRequest,
  type ScaleRequest,
} from "../model/admin.ts";
import { CoppiceError } from "../model/errors.ts";
import type { NodeName } from "../model/node.ts";
import type { EventLog } from "./event-log.ts";
import type { Orders } from "./orders.ts";

/** Several times what all events that are kept come to: who is so far behind has stopped reading, and would fill the memory. */
const unreadBytesMax = 16 * 1024 * 1024;

export interface AdminSources {
  readonly socketPath: string;
  readonly events: EventLog;
  readonly status: () => ClusterStatus;
  readonly orders: Orders;
}

export async function serveAdmin(sources: AdminSources): Promise<FastifyInstance> {
  const { orders } = sources;
  const server = Fastify({ forceCloseConnections: true });
  server.route({ ...route(adminRoutes.status), handler: () => sources.status() });
  server.route<{ Body: RegenerateRequest | null }>({
    ...route(adminRoutes.regenerate),
    handler: (request, reply) => {
      const known = sources.status().nodes.map(({ name }) => name);
      const wanted = request.body?.nodes;
      if (!isMeant(wanted, known)) return refuseNodes(reply, wanted, known);
      const accepted: RegenerateAccepted = { id: orders.regenerate(wanted), nodes: wanted === "all" ? known : wanted };
      return acknowledge(reply, orders, accepted);
    },
  });
  server.route<{ Body: ResumeRequest | null }>({
    ...route(adminRoutes.resume),
    handler: (request, reply) => {
      const known = sources.status().nodes.map(({ name }) => name);
      const wanted = request.body?.nodes;
      return isMeant(wanted, known) ? (orders.resume(wanted) ?? refuseUnwritten(reply)) : refuseNodes(reply, wanted, known);
    },
  });
  server.route<{ Body: ReloadRequest | null }>({
    ...route(adminRoutes.reload),
    handler: (request, reply) => {
      const { body } = request;
      if (!isReload(body))
        return reply
          .code(400)
          .send(refusal("COPPICE_ARGUMENT", "a reload names kind, script, arguments, workingDirectory, asTyped and environment"));
      const begun = orders.reload(body);
      if (begun === null) return reply.code(409).send(refusal("COPPICE_RELOAD_RUNNING", "a reload is under way; wait until it has ended"));
      const accepted: ReloadAccepted = { ...begun, nodes: sources.status().nodes.map(({ name }) => name) };
      return acknowledge(reply, orders, accepted);
    },
  });
  server.route<{ Body: Partial<ScaleRequest> | null }>({
    ...route(adminRoutes.scale),
    handler: (request, reply) => {
      const nodes = request.body?.nodes;
      if (nodes === undefined || !Number.isInteger(nodes) || nodes < 1 || nodes > nodesMax)
        return reply.code(400).send(refusal("COPPICE_ARGUMENT", `nodes must be a whole number from 1 to ${nodesMax}`));
      const id = orders.scale(nodes);
      const accepted: RegenerateAccepted = { id, nodes: orders.progress(id)?.nodes.map(({ name }) => name) ?? [] };
      return acknowledge(reply, orders, accepted);
    },
  });
  serveSettings(server, orders);
  server.route<{ Params: { id: string } }>({
    ...route(adminRoutes.regeneration),
    handler: (request, reply) =>
      orders.progress(request.params.id) ?? reply.code(404).send(refusal("COPPICE_ARGUMENT", `there is no request ${request.params.id}`)),
  });
  serveEvents(server, sources.events);
  rmSync(sources.socketPath, { force: true });
  await server.listen({ path: sources.socketPath });
  return server;
}

function serveEvents(server: FastifyInstance, events: EventLog): void {
  server.route<{ Querystring: { after?: string; follow?: string } }>({
    ...route(adminRoutes.events),
    handler: (request, reply) => {
      const after = Number(request.query.after ?? 0);
      if (Number.isNaN(after)) return reply.code(400).send(refusal("COPPICE_ARGUMENT", "after must be the number of an event"));
      const stream = new PassThrough();
      for (const event of events.since(after)) stream.write(`${JSON.stringify(event)}\n`);
      if (request.query.follow === "true") {
        const unfollow = events.follow((event) => {
          stream.write(`${JSON.stringify(event)}\n`);
          // Who follows asks again from the last that it has read, in its own time.
          if (stream.writableLength > unreadBytesMax) stream.destroy();
        });
        stream.on("close", unfollow);
        request.raw.on("close", unfollow);
      } else stream.end();
      return reply.type("application/x-ndjson").send(stream);
    },
  });
}

function serveSettings(server: FastifyInstance, orders: Orders): void {
  server.route({ ...route(adminRoutes.settings), handler: () => orders.settings });
  server.route<{ Body: Partial<ChangeSettingsRequest> | null }>({
    ...route(adminRoutes.changeSettings),
    handler: (request, reply) => {
      const { set, dryRun = false } = request.body ?? {};
      if (typeof set !== "object" || set === null || typeof dryRun !== "boolean")
        return reply.code(400).send(refusal("COPPICE_ARGUMENT", "a change of settings has values by name, in set"));
      try {
        return orders.changeSettings({ set, dryRun });
      } catch (error) {
        if (!(error instanceof CoppiceError) || error.code !== "COPPICE_SETTING") throw error;
        return reply.code(400).send(refusal(error.code, error.message));
      }
    },
  });
}

function route<M extends string, P extends string>(declared: { readonly method: M; readonly path: P }): { method: M; url: P } {
  return { method: declared.method, url: declared.path };
}

/** What is not journalled is not taken yet, and would be forgotten with this process. */
function acknowledge(reply: FastifyReply, orders: Orders, accepted: RegenerateAccepted | ReloadAccepted): FastifyReply {
  return orders.progress(accepted.id) === null ? refuseUnwritten(reply) : reply.code(202).send(accepted);
}

function refuseUnwritten(reply: FastifyReply): FastifyReply {
  const message = "the journal cannot be written (is the disk full?): it begins as soon as that can, if the monitor lives to see it";
  return reply.code(507).send(refusal("COPPICE_HOME_UNUSABLE", message));
}

function isReload(value: ReloadRequest | null): value is ReloadRequest {
  return (
    (value?.kind === "script" || value?.kind === "command") &&
    isPlace(value) &&
    isPlace(value.asTyped) &&
    isObject(value.environment) &&
    Object.values(value.environment).every(isText)
  );
}

function isPlace(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { script, workingDirectory, arguments: args } = value;
  return isText(script) && isText(workingDirectory) && Array.isArray(args) && args.every(isText);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** As the system takes it: a NUL would end it. */
function isText(value: unknown): boolean {
  return typeof value === "string" && !value.includes("\0");
}

function isMeant(wanted: unknown, known: readonly NodeName[]): wanted is readonly NodeName[] | "all" {
  return wanted === "all" || (isNames(wanted) && wanted.every((name) => known.includes(name)));
}

function refuseNodes(reply: FastifyReply, wanted: unknown, known: readonly NodeName[]): FastifyReply {
  if (!isNames(wanted)) return reply.code(400).send(refusal("COPPICE_ARGUMENT", 'nodes must be "all" or a list of names'));
  const names = wanted.filter((name) => !known.includes(name)).map((name) => `"${name}"`);
  return reply
    .code(404)
    .send(refusal("COPPICE_UNKNOWN_NODE", `there is no node ${names.join(", ")}; this cluster has ${known.join(", ")}`));
}

function isNames(value: unknown): value is readonly NodeName[] {
  return Array.isArray(value) && value.length > 0 && value.every((name) => typeof name === "string");
}

function refusal(code: string, message: string): AdminError {
  return { code, message };
}
