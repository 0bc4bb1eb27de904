import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSqliteFile } from "../../packages/postrider/src/adapters/sqlite/sqlite-file.ts";
import type { SqliteFileOptions } from "../../packages/postrider/src/adapters/sqlite/sqlite-file.ts";
import { systemClock } from "../../packages/postrider/src/base/clock.ts";
import { uuidv7Ids } from "../../packages/postrider/src/base/ids.ts";
import { systemRandom } from "../../packages/postrider/src/base/random.ts";
import type { Envelope, Outgoing } from "../../packages/postrider/src/envelope/envelope.ts";
import type { LogFields, Logger } from "../../packages/postrider/src/ports/logger.ts";
import type { Store } from "../../packages/postrider/src/ports/store.ts";
import type { Consumption, Delivery, Subscription, Transport } from "../../packages/postrider/src/ports/transport.ts";

const DESTINATION = { name: "order.events", kind: "events", lanes: 4, isExternal: false } as const;

/** A SQLite file of a test, with a transport, stores and a log of what it has reported. */
export class SqliteWorld implements AsyncDisposable {
  readonly path: string;
  readonly transport: Transport;
  readonly store: Store;
  readonly lines: LogFields[] = [];
  readonly #folder: string;
  #count = 0;

  constructor(folder: string, options: Partial<SqliteFileOptions>) {
    this.#folder = folder;
    this.path = join(folder, "app.db");
    const clock = options.clock ?? systemClock;
    const take = (fields: LogFields): void => void this.lines.push(fields);
    const logger: Logger = { debug: take, info: take, warn: take, error: take };
    const file = openSqliteFile({
      file: this.path,
      clock,
      random: systemRandom,
      ids: uuidv7Ids(clock),
      logger,
      unsafeNoSync: false,
      leaseMs: 4000,
      walLimitBytes: 64 * 1024 * 1024,
      retention: {},
      maxBodyBytes: 64 * 1024 * 1024,
      ...options,
    });
    this.transport = file.transport();
    this.store = file.store("reader");
  }

  /** Opens everything and makes the destination, with these subscriptions. */
  async open(...services: readonly string[]): Promise<void> {
    await this.transport.open();
    await this.store.open();
    await this.transport.apply({ destinations: [DESTINATION], subscriptions: services.map((service) => this.subscription(service)) });
  }

  subscription(service: string): Subscription {
    return {
      service,
      destination: DESTINATION,
      types: undefined,
      where: {},
      prefetchCount: 1000,
      prefetchBytes: 1 << 24,
      from: "earliest",
    };
  }

  messages(count: number, change: Partial<Envelope> = {}, bytes = 100): Outgoing[] {
    return Array.from({ length: count }, () => {
      const id = `0198c000-0000-7000-8000-${(++this.#count).toString(16).padStart(12, "0")}`;
      const envelope: Envelope = {
        id,
        source: "/tests",
        type: "order.placed",
        kind: "event",
        contractversion: 1,
        time: "2026-01-01T00:00:00.000Z",
        ...change,
      };
      return { envelope, headers: {}, body: "x".repeat(bytes), destination: DESTINATION.name, mayRepeat: false };
    });
  }

  /** The codes of a send's outcomes, each once. */
  async send(messages: readonly Outgoing[]): Promise<readonly (string | undefined)[]> {
    const outcomes = await this.transport.send(messages, { deadlineMs: 30_000 });
    return [...new Set(outcomes.map((outcome) => outcome?.code))];
  }

  /** Starts to read; resolves with what was handed over once it is `count`. */
  async consume(
    service: string,
    count: number,
    onDelivery: (delivery: Delivery) => void = (delivery) => void delivery.ack(),
  ): Promise<{ readonly consumption: Consumption; readonly all: Promise<readonly Delivery[]> }> {
    const taken: Delivery[] = [];
    const { promise, resolve } = Promise.withResolvers<readonly Delivery[]>();
    const consumption = await this.transport.consume(this.subscription(service), {
      onAssigned: () => undefined,
      onRevoked: () => undefined,
      onError: () => undefined,
      deliver: (_, batch) => {
        taken.push(...batch);
        batch.forEach(onDelivery);
        if (taken.length >= count) resolve(taken);
      },
    });
    return { consumption, all: promise };
  }

  /** A number that a query gives. */
  async number(sql: string): Promise<number> {
    return Number(Object.values((await this.store.read.get<Record<string, number>>(sql)) ?? {})[0]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.transport.close();
    await this.store.close();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** A new file in a folder of its own; gone at the end of the block. */
export async function sqliteWorld(options: Partial<SqliteFileOptions> = {}): Promise<SqliteWorld> {
  return new SqliteWorld(await mkdtemp(join(tmpdir(), "postrider-sqlite-")), options);
}
