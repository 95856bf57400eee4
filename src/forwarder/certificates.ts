/**
 * Certificates towards clients: one or several pairs of files, chosen by the name that the client asks for
 * (SNI), the first for all others. The files are looked at now and then; changed ones are taken without a
 * restart, for new connections. Ones that cannot be used are said so, and the last good ones stay.
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

export class Certificates {
  readonly #files: readonly KeyPairFiles[];
  readonly #ticketKeys: Buffer;
  readonly #say: (text: string) => void;
  readonly #servers = new Set<Server>();
  readonly #timer: NodeJS.Timeout;
  #seen: string;
  #pairs: readonly Pair[];

  /** @throws Error where a file cannot be read, or a key is not its certificate's. */
  constructor(files: readonly KeyPairFiles[], clusterKey: string, say: (text: string) => void) {
    this.#files = files;
    this.#say = say;
    // Equal in all forwarders of the cluster, and after their restarts: clients resume their sessions with any of them.
    this.#ticketKeys = createHmac("sha384", clusterKey).update("tls-tickets").digest();
    this.#seen = stateOf(files);
    this.#pairs = files.map(read);
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
    const seen = stateOf(this.#files);
    if (seen === this.#seen) return;
    this.#seen = seen;
    try {
      this.#pairs = this.#files.map(read);
      for (const server of this.#servers) server.setSecureContext({ ...this.#default(), ticketKeys: this.#ticketKeys });
      this.#say(`new certificates are in use: ${this.#files.map(({ cert }) => cert).join(", ")}`);
    } catch (error) {
      this.#say(`${String(error)}; the certificates loaded before stay in use`);
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #named(name: string): Pair {
    return this.#pairs.find(({ certificate }) => certificate.checkHost(name) !== undefined) ?? this.#first();
  }

  #first(): Pair {
    const [first] = this.#pairs;
    if (first === undefined) throw new Error("no certificate was given");
    return first;
  }

  /** For clients that name no host. */
  #default(): { cert: Buffer; key: Buffer } {
    const { cert, key } = this.#first();
    return { cert, key };
  }
}

/** Changes with the files' content, and with what links lead to. */
function stateOf(files: readonly KeyPairFiles[]): string {
  return files.flatMap(({ cert, key }) => [fileState(cert), fileState(key)]).join(" ");
}

function fileState(path: string): string {
  const state = statSync(path, { throwIfNoEntry: false });
  return state === undefined ? "absent" : `${state.dev}:${state.ino}:${state.size}:${state.mtimeMs}`;
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
