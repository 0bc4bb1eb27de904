import type { MaybePromise } from "../../base/deferred.ts";
import { fail } from "../../base/errors.ts";
import type { Outgoing } from "../../envelope/envelope.ts";
import type { PostgresDelivery } from "./delivery.ts";
import { leaseName } from "../../lanes/log-cursor.ts";
import { appendCall, appendValues, list, writtenOf } from "./log-batch.ts";
import type { Placed } from "./log-batch.ts";
import type { LogWorld } from "./log-world.ts";
import { LANE_LOST_STATE } from "./log-schema.ts";
import type { GroupCommit, Participant, TransactionConnection } from "./participant.ts";

const UNIQUE_VIOLATION = "23505"; // SQLSTATE unique_violation

/**
 * What one transaction sends and settles.
 *
 * Written at its end: messages take their positions as late as possible, because readers wait for whoever has one and has not committed.
 */
export class LogUnit implements Participant {
  readonly outgoing: Outgoing[] = [];
  readonly settled: PostgresDelivery[] = [];
  readonly #world: LogWorld;
  #written: ReturnType<typeof writtenOf> = new Map();

  constructor(world: LogWorld) {
    this.#world = world;
  }

  settle(delivery: PostgresDelivery): void {
    if (delivery.cursor.state === "gone") throw leaseLost(delivery);
    delivery.state = "settling";
    this.settled.push(delivery);
  }

  /** Where its messages go. Answers to this process are left out: see {@link committed}. @throws PR_DESTINATION_UNKNOWN */
  async place(): Promise<readonly Placed[]> {
    return this.outgoing.length === 0 ? [] : this.#world.place(this.outgoing);
  }

  /** @throws PR_DESTINATION_UNKNOWN; the statements throw PR_LEASE_LOST when a lane is not ours any more */
  flush(connection: TransactionConnection): MaybePromise<readonly Promise<unknown>[]> {
    if (this.outgoing.length === 0) return this.#settle(connection);
    return this.place().then((placed) => [...this.#settle(connection), ...this.#append(connection, placed)]);
  }

  /** Commits it by itself, with others of its kind. */
  commitAlone(): Promise<void> {
    return this.#world.commits.commit(this);
  }

  committed(): void {
    for (const delivery of this.settled) delivery.cursor.finish(delivery, true);
    this.announce();
  }

  rolledBack(): void {
    for (const delivery of this.settled) if (delivery.state === "settling") delivery.state = "out";
  }

  /** Tells whoever waits for what was sent. */
  announce(written: ReturnType<typeof writtenOf> = this.#written): void {
    if (this.outgoing.length > 0) this.#world.announce(this.outgoing, written);
  }

  #settle(connection: TransactionConnection): readonly Promise<unknown>[] {
    if (this.settled.length === 0) return [];
    const { log } = this.#world;
    const values = [
      list(this.settled.map(({ cursor }) => cursor.id)),
      list(this.settled.map(({ lane }) => lane.epoch)),
      list(this.settled.map(({ position }) => position)),
    ];
    const settled = connection.query(log.statement("settle", `select ${log.schema}.pr_settle($1, $2, $3)`, values));
    return [settled.catch((error: unknown) => Promise.reject(this.#asLeaseLost(error)))];
  }

  #append(connection: TransactionConnection, placed: readonly Placed[]): readonly Promise<unknown>[] {
    if (placed.length === 0) return [];
    const { log, clock } = this.#world;
    const values = appendValues(placed, undefined, clock.now());
    const appended = connection.query(log.statement("append", `select ${appendCall(log.schema, 1)} as appended`, values));
    return [appended.then(({ rows }) => void (this.#written = writtenOf(placed, rows[0]!["appended"] as readonly string[] | null)))];
  }

  #asLeaseLost(error: unknown): Error {
    const code = (error as { code?: unknown } | undefined)?.code;
    const [delivery] = this.settled;
    if (code === LANE_LOST_STATE) {
      this.#world.doubt(this.settled.map(({ cursor }) => cursor));
      return leaseLost(delivery!, error);
    }
    // An earlier commit of ours was answered by silence, and had settled it. The message is done; what runs now must come to nothing.
    if (code === UNIQUE_VIOLATION && this.settled.length === 1) {
      delivery!.cursor.finish(delivery!, true);
      return leaseLost(delivery!, error);
    }
    return error as Error;
  }
}

/** The error for a delivery of a lane that is another's. */
export function leaseLost(delivery: PostgresDelivery, cause?: unknown): ReturnType<typeof fail> {
  return fail("PR_LEASE_LOST", { lease: leaseName(delivery.lane) }, cause === undefined ? undefined : { cause });
}

/** Commits each unit with the others of its transport. */
export const unitGroups: GroupCommit = {
  commit: (participant) => {
    if (participant instanceof LogUnit) return participant.commitAlone();
    throw new TypeError("only units of a log are committed in groups");
  },
};
