/**
 * Events, kept in a file of one JSON line each and told to followers as they come. The file is halved
 * when it has grown past its bound; sequences go on.
 */
import { appendFileSync, existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { messageOf } from "../model/errors.ts";
import type { ClusterEvent, EventDraft } from "../model/events.ts";

const eventsMax = 10_000;

export class EventLog {
  readonly #path: string;
  readonly #followers = new Set<(event: ClusterEvent) => void>();
  #events: ClusterEvent[] = [];
  /** The file's last line may be a part of one, by a kill or by a disk that took only so much: the next begins a new one. */
  #isTorn = false;

  constructor(path: string) {
    this.#path = path;
    const text = existsSync(path) ? readFileSync(path, "utf8") : "";
    this.#events = text.split("\n").flatMap(parseLine);
    this.#isTorn = text !== "" && !text.endsWith("\n");
  }

  append(draft: EventDraft, atMs: number): ClusterEvent {
    const event: ClusterEvent = { sequence: (this.#events.at(-1)?.sequence ?? 0) + 1, atMs, ...draft };
    this.#events.push(event);
    if (this.#events.length > eventsMax) this.#halve();
    else this.#tryToWrite(() => appendFileSync(this.#path, `${this.#isTorn ? "\n" : ""}${JSON.stringify(event)}\n`, { mode: 0o600 }));
    for (const follower of this.#followers) follower(event);
    return event;
  }

  /** Events with a higher sequence than `after`, oldest first. */
  since(after: number): readonly ClusterEvent[] {
    return this.#events.filter(({ sequence }) => sequence > after);
  }

  /** Calls back for each later event; returns what ends it. */
  follow(follower: (event: ClusterEvent) => void): () => void {
    this.#followers.add(follower);
    return () => this.#followers.delete(follower);
  }

  #halve(): void {
    this.#events = this.#events.slice(-eventsMax / 2);
    this.#tryToWrite(() => {
      writeFileSync(`${this.#path}.next`, this.#events.map((event) => `${JSON.stringify(event)}\n`).join(""), { mode: 0o600 });
      renameSync(`${this.#path}.next`, this.#path);
    });
  }

  /** Events are for people: a full disk must not stop a regeneration for want of a line. */
  #tryToWrite(write: () => void): void {
    try {
      write();
      this.#isTorn = false;
    } catch (error) {
      this.#isTorn = true;
      process.stderr.write(`events cannot be written: ${messageOf(error)}\n`);
    }
  }
}

function parseLine(line: string): ClusterEvent[] {
  try {
    return line === "" ? [] : [JSON.parse(line) as ClusterEvent]; // written by `append` alone
  } catch {
    return []; // torn by a kill
  }
}
