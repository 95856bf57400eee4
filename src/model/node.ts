/**
 * Names of nodes and instances. A node is a stable name (`web-2`); an instance is one
 * process of it, told apart by its generation (`web-2.7`). Generations only grow, over restarts of
 * the monitor too, so an instance id is never used twice within the life of a cluster.
 */

export type NodeName = string;
export type InstanceId = string;

export function nodeName(index: number): NodeName {
  return `web-${index}`;
}

export function instanceId(node: NodeName, generation: number): InstanceId {
  return `${node}.${generation}`;
}

/** The node that an instance belongs to: all before the last dot. */
export function nodeOf(instance: InstanceId): NodeName {
  return instance.slice(0, instance.lastIndexOf("."));
}

/** One version of the user's application, as started. */
export interface Release {
  readonly id: string;
  /** Absolute path of the Node executable that runs the application. */
  readonly nodePath: string;
  /** A Node script, or a command (`npm start`) in whose process tree the server is. */
  readonly kind: "script" | "command";
  /** Absolute path of the script, or of the command's executable. */
  readonly script: string;
  readonly arguments: readonly string[];
  /** Absolute path. */
  readonly workingDirectory: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Before links were resolved: what the next release is resolved from anew. */
  readonly asTyped: { readonly script: string; readonly arguments: readonly string[]; readonly workingDirectory: string };
}

/** Where the application asked to listen, and so where the forwarder listens. */
export interface ListenAddress {
  /** As resolved by Node at the listen call; null where the app named no host (Node then tries `::`, else `0.0.0.0`). */
  readonly address: string | null;
  readonly port: number;
  /** Of `::`: IPv4 clients are none of its. */
  readonly ipv6Only?: true;
}

/** Names a public listener in messages and tables: the address and port that the *application* asked for. */
export type ListenerId = string;

export function listenerId(at: ListenAddress): ListenerId {
  return `${at.address ?? "*"}|${at.port}`;
}
