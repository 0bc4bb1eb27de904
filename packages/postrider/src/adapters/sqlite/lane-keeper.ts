import type { Clock } from "../../base/clock.ts";
import type { PostriderError } from "../../base/errors.ts";
import type { Connection } from "./connection.ts";
import type { SqliteConsumption } from "./consumption.ts";
import type { Renewal } from "./lane-set.ts";
import type { Job } from "./turn.ts";
import { write } from "./write-job.ts";
import type { Writer } from "./writer.ts";

/** What a keeper stands on. */
export interface LaneKeeperOptions {
  readonly connection: Connection;
  readonly writer: Writer;
  readonly clock: Clock;
  readonly leaseMs: number;
  /** This process among all that have the file open. */
  readonly instance: string;
  readonly onError: (error: PostriderError) => void;
}

/** Keeps the leases of all consumptions of this process, in one small write every few hundred milliseconds. */
export class LaneKeeper implements Job {
  readonly isVolatile = true; // a power cut ends all owners alike
  readonly #options: LaneKeeperOptions;
  readonly #consumptions = new Set<SqliteConsumption>();
  #renewals: readonly (readonly [SqliteConsumption, Renewal])[] = [];
  #isQueued = false;
  #renewedAtMs = -Infinity;
  #rivals = 0;

  constructor(options: LaneKeeperOptions) {
    this.#options = options;
  }

  /** Whether other processes have the file open. */
  get hasRivals(): boolean {
    return this.#rivals > 0;
  }

  get consumptions(): Iterable<SqliteConsumption> {
    return this.#consumptions;
  }

  add(consumption: SqliteConsumption): void {
    this.#consumptions.add(consumption);
    this.renewSoon();
  }

  remove(consumption: SqliteConsumption): void {
    this.#consumptions.delete(consumption);
  }

  /** Called again and again: renews in time, sooner while somebody waits for lanes. */
  tick(): void {
    const { clock, leaseMs } = this.#options;
    const isShort = [...this.#consumptions].some((consumption) => consumption.isShort);
    const dueMs = isShort ? leaseMs / 40 : leaseMs / 8;
    if (clock.monotonicMs() - this.#renewedAtMs >= dueMs) this.renewSoon();
  }

  renewSoon(): void {
    if (this.#isQueued) return;
    this.#isQueued = true;
    this.#renewedAtMs = this.#options.clock.monotonicMs();
    this.#options.writer.enqueue(this);
  }

  run(): void {
    const { connection, clock, leaseMs, instance } = this.#options;
    const nowMs = clock.now();
    this.#isQueued = false;
    connection.run(
      "insert into pr_instances (id, alive_until) values (?, ?) on conflict do update set alive_until = excluded.alive_until",
      instance,
      nowMs + leaseMs,
    );
    connection.run("delete from pr_instances where alive_until < ?", nowMs);
    this.#rivals = connection.get<{ count: number }>("select count(*) as count from pr_instances")!.count - 1;
    this.#renewals = [...this.#consumptions].map((consumption) => [consumption, consumption.renew()] as const);
  }

  committed(): void {
    const renewals = this.#renewals;
    this.#renewals = [];
    for (const [consumption, renewal] of renewals) consumption.renewed(renewal);
  }

  durable(): void {
    // All was done with the commit.
  }

  failed(error: PostriderError): void {
    this.#isQueued = false;
    this.#renewals = [];
    if (!error.retryable) return;
    this.#options.onError(error); // the next tick tries again
  }

  /** Says that this process leaves. */
  async close(): Promise<void> {
    const { connection, writer, instance } = this.#options;
    await write(writer, () => connection.run("delete from pr_instances where id = ?", instance), { isVolatile: true });
  }
}
