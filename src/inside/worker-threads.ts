/**
 * Servers in worker threads. A worker has a loop, sessions and listeners of its own, which the probe does not reach: they are
 * left alone, and that one listens there is told to the main thread, so that somebody is told why no port was seen.
 */
import { Server as HttpServer } from "node:http";
import { Server as NetServer } from "node:net";
import { BroadcastChannel, getEnvironmentData, setEnvironmentData } from "node:worker_threads";

const name = "coppice.listens";

interface Internals {
  _listen2: (...args: unknown[]) => void;
}

/** In the main thread of an instance, before it makes workers. */
export function hearWorkers(onListens: (port: number) => void): void {
  setEnvironmentData(name, true);
  const channel = new BroadcastChannel(name);
  channel.onmessage = (message) => onListens(Number(Reflect.get(Object(message), "data")));
  channel.unref();
}

/** In a worker: silent where its process is no instance. */
export function tellListens(): void {
  if (getEnvironmentData(name) !== true) return;
  const prototype = NetServer.prototype as unknown as Internals; // Node's own method, see listeners.ts
  const listen2 = prototype._listen2;
  prototype._listen2 = function (this: NetServer, ...args: unknown[]): void {
    const port = Number(args[1]);
    if (port > 0 && this instanceof HttpServer) {
      const channel = new BroadcastChannel(name);
      channel.postMessage(port);
      channel.close();
    }
    listen2.apply(this, args);
  };
}
