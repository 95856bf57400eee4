/**
 * Certificates towards clients: one or several pairs of files, chosen by the name that the client asks for
 * (SNI), the first for all others. The files are looked at now and then; changed ones are taken without a
 * restart, for new connections. A pair that cannot be used is said so, and its last good one stays.
 */
import { createHmac, X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { createSecureContext, createServer, type SecureContext, type Server } from "node:tls";
import type { KeyPairFiles } from "../model/birth.ts";

/** Renewed certificates come weeks before the old ones end; a look costs some microseconds. */
const lookMs = 2_000;

interface Pair {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly certificate: X509Certificate;
  readonly context: SecureContext;
}

/** What is in use of one pair of files, and as which they were seen last. */
interface Held {
  readonly files: KeyPairFiles;
  readonly seen: string;
  /** Null: they never could be used. */
  readonly pair: Pair | null;
}

export class Certificates {
  readonly #ticketKeys: Buffer;
  readonly #say: (text: string) => void;
  readonly #servers = new Set<Server>();
  readonly #timer: NodeJS.Timeout;
  #held: readonly Held[];
  #pairs: readonly Pair[] = [];

  /**
   * A forwarder that starts anew while one pair is amiss serves with the others.
   * @throws Error where none can be used: a file cannot be read, or a key is not its certificate's.
   */
  constructor(files: readonly KeyPairFiles[], clusterKey: string, say: (text: string) => void) {
    this.#say = say;
    // Equal in all forwarders of the cluster, and after their restarts: clients resume their sessions with any of them.
    this.#ticketKeys = createHmac("sha384", clusterKey).update("tls-tickets").digest();
    this.#held = files.map((one) => this.#lookAt({ files: one, seen: "", pair: null }));
    this.#use();
    this.#timer = setInterval(() => this.look(), lookMs).unref();
  }

  createServer(handshakeTimeoutMs: number): Server {
    const server = createServer({
      ...this.#default(),
      ALPNProtocols: ["h2", "http/1.1", "http/1.0"],
      SNICallback: (name, done) => done(null, this.#named(name).context),
      ticketKeys: this.#ticketKeys,
      handshakeTimeout: handshakeTimeoutMs,
      allowHalfOpen: true,
    });
    this.#servers.add(server);
    server.on("close", () => this.#servers.delete(server));
    return server;
  }

  look(): void {
    const before = this.#held;
    this.#held = before.map((held) => this.#lookAt(held));
    const renewed = this.#held.filter(({ pair }, at) => pair !== before[at]?.pair);
    if (renewed.length === 0) return;
    this.#use();
    for (const server of this.#servers) server.setSecureContext({ ...this.#default(), ticketKeys: this.#ticketKeys });
    this.#say(`new certificates are in use: ${renewed.map(({ files }) => files.cert).join(", ")}`);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Each pair for itself: what is wrong with one keeps no other from being renewed. */
  #lookAt(held: Held): Held {
    const { files, pair } = held;
    const seen = `${fileState(files.cert)} ${fileState(files.key)}`;
    if (seen === held.seen) return held;
    try {
      return { files, seen, pair: read(files) };
    } catch (error) {
      this.#say(`${String(error)}${pair === null ? "" : "; the certificate loaded before stays in use"}`);
      return { files, seen, pair };
    }
  }

  #use(): void {
    this.#pairs = this.#held.flatMap(({ pair }) => (pair === null ? [] : [pair]));
    this.#first();
  }

  #named(name: string): Pair {
    return this.#pairs.find(({ certificate }) => certificate.checkHost(name) !== undefined) ?? this.#first();
  }

  #first(): Pair {
    const [first] = this.#pairs;
    if (first === undefined) throw new Error("no certificate can be used");
    return first;
  }

  /** For clients that name no host. */
  #default(): { cert: Buffer; key: Buffer } {
    const { cert, key } = this.#first();
    return { cert, key };
  }
}

/** Changes with the file's content, and with what links lead to; why it cannot be used is said when it is read. */
function fileState(path: string): string {
  try {
    const { dev, ino, size, mtimeMs } = statSync(path);
    return `${dev}:${ino}:${size}:${mtimeMs}`;
  } catch (error) {
    return String(error);
  }
}

function read({ cert: certPath, key: keyPath }: KeyPairFiles): Pair {
  const cert = readFileSync(certPath);
  const key = readFileSync(keyPath);
  try {
    return { cert, key, certificate: new X509Certificate(cert), context: createSecureContext({ cert, key }) };
  } catch (error) {
    throw new Error(`${certPath} with ${keyPath} cannot be used: ${String(error)}`, { cause: error });
  }
}
