/**
 * Nodes without a probe: nobody says when they listen, so their own port is tried until something accepts.
 * An instance whose probe is there says so itself, and is not tried any more.
 */
import { connect } from "node:net";
import type { InstanceId } from "../model/node.ts";

const tryMs = 150;

export class PortWatch {
  readonly #tried = new Map<InstanceId, NodeJS.Timeout>();
  readonly #onListening: (instance: InstanceId, socket: string) => void;

  /** `onListening` is told `127.0.0.1:port`, once. */
  constructor(onListening: (instance: InstanceId, socket: string) => void) {
    this.#onListening = onListening;
  }

  begin(instance: InstanceId, port: number): void {
    if (this.#tried.has(instance)) return;
    this.#tried.set(
      instance,
      setInterval(() => this.#try(instance, port), tryMs),
    );
  }

  end(instance: InstanceId): void {
    clearInterval(this.#tried.get(instance));
    this.#tried.delete(instance);
  }

  #try(instance: InstanceId, port: number): void {
    const socket = connect({ host: "127.0.0.1", port, timeout: tryMs });
    socket.on("connect", () => {
      socket.destroy();
      if (!this.#tried.has(instance)) return;
      this.end(instance);
      this.#onListening(instance, `127.0.0.1:${port}`);
    });
    socket.on("timeout", () => socket.destroy());
    socket.on("error", () => {});
  }
}
