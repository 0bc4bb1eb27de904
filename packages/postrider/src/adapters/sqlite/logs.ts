import type { Clock } from "../../base/clock.ts";
import type { Outgoing } from "../../envelope/envelope.ts";
import type { AppendJob, Appender } from "./append-job.ts";
import type { Connection } from "./connection.ts";
import { Log } from "./log.ts";
import type { Replies } from "./replies.ts";
import { findDestination } from "./topology.ts";
import type { Turn } from "./turn.ts";
import type { Writer } from "./writer.ts";

/** What the logs stand on. */
export interface LogsOptions {
  readonly connection: Connection;
  readonly reader: Connection;
  readonly writer: Writer;
  readonly clock: Clock;
  readonly replies: Replies;
}

/** All logs of a file, by destination; and what is on its way into them. */
export class Logs implements Appender {
  readonly #options: LogsOptions;
  readonly #logs = new Map<string, Log>();
  readonly #waiting = new Set<AppendJob>();
  #nowMs = 0;
  #nowOf: Turn | undefined;

  constructor(options: LogsOptions) {
    this.#options = options;
  }

  /** Those that were used here. */
  get open(): Iterable<Log> {
    return this.#logs.values();
  }

  /** Whether messages can be written to a destination. */
  knows(destination: string): boolean {
    return this.#options.replies.isAddress(destination) || this.find(destination) !== undefined;
  }

  /** A destination's log, if the destination was made, here or elsewhere. */
  find(destination: string): Log | undefined {
    const known = this.#logs.get(destination);
    if (known !== undefined) return known;
    const { connection, reader, writer } = this.#options;
    const found = findDestination(reader, destination);
    if (found === undefined) return undefined;
    const { id, name, kind, lanes } = found;
    const log = new Log({ id, destination: { name, kind, lanes, isExternal: false }, connection, reader, writer });
    this.#logs.set(destination, log);
    return log;
  }

  append(turn: Turn, message: Outgoing): void {
    if (this.#nowOf !== turn) {
      this.#nowOf = turn;
      this.#nowMs = this.#options.clock.now();
    }
    const log = this.#logs.get(message.destination);
    if (log !== undefined) log.append(turn, message, this.#nowMs);
    else this.#options.replies.append(turn, message, this.#nowMs);
  }

  appendAll(turn: Turn, batch: readonly Outgoing[]): void {
    for (const message of batch) this.append(turn, message);
  }

  began(job: AppendJob): void {
    this.#waiting.add(job);
  }

  ended(job: AppendJob): void {
    this.#waiting.delete(job);
  }

  /** Ends the waiting of those whose time is up. */
  expire(): void {
    if (this.#waiting.size === 0) return;
    const nowMs = this.#options.clock.monotonicMs();
    for (const job of this.#waiting) if (job.deadlineAtMs <= nowMs) job.expire();
  }

  /** Others have written. */
  wakeReaders(): void {
    for (const log of this.#logs.values()) log.wakeReaders();
  }
}
