import type { Clock } from "../../base/clock.ts";
import { fail } from "../../base/errors.ts";
import { bodyBytes } from "../../envelope/envelope.ts";
import type { Outgoing } from "../../envelope/envelope.ts";
import type { SendOutcome } from "../../ports/transport.ts";
import type { Appender } from "./append-job.ts";
import type { Connection } from "./connection.ts";
import { Log } from "./log.ts";
import type { Replies } from "./replies.ts";
import { findDestination, unknownDestination } from "./topology.ts";
import type { Turn } from "./turn.ts";
import type { Writer } from "./writer.ts";

/** What the logs stand on. */
export interface LogsOptions {
  readonly connection: Connection;
  readonly reader: Connection;
  readonly writer: Writer;
  readonly clock: Clock;
  readonly replies: Replies;
  readonly maxBodyBytes: number;
}

const MAX_BYTES_PER_CHARACTER = 3; // of a UTF-16 unit in UTF-8

/** All logs of a file, by destination. */
export class Logs implements Appender {
  readonly #options: LogsOptions;
  readonly #logs = new Map<string, Log>();
  #nowMs = 0;
  #nowOf: Turn | undefined;

  constructor(options: LogsOptions) {
    this.#options = options;
  }

  /** Those that were used here. */
  get open(): Iterable<Log> {
    return this.#logs.values();
  }

  refusalOf({ destination, envelope, body }: Outgoing): SendOutcome {
    if (this.find(destination) === undefined && !this.#options.replies.isAddress(destination)) return unknownDestination(destination);
    const limit = this.#options.maxBodyBytes;
    // A text of n characters has n to 3 n bytes: most need no counting.
    if (body.length * MAX_BYTES_PER_CHARACTER <= limit) return undefined;
    const bytes = bodyBytes(body);
    return bytes > limit ? fail("PR_BODY_TOO_LARGE", { contract: envelope.type, bytes, limit }) : undefined;
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

  /** Others have written. */
  wakeReaders(): void {
    for (const log of this.#logs.values()) log.wakeReaders();
  }
}
