import assert from "node:assert/strict";
import { NO_HEADERS } from "../envelope/envelope.ts";
import type { DeadLetter } from "../ports/dead-letters.ts";
import type { HeldMessage } from "../ports/held.ts";
import type { InboxEntry } from "../ports/inbox.ts";
import type { ScheduledMessage } from "../ports/schedule.ts";
import type { Store, StoreTransaction } from "../ports/store.ts";
import type { Outgoing } from "../envelope/envelope.ts";
import type { AdapterFixture } from "./suite.ts";
import { until } from "./wait.ts";

/** What a store can do, declared: what decides which tests apply. */
export interface StoreFeatures {
  /** Whether users' SQL runs in its transactions. */
  readonly sql: boolean;
  /** Whether the fixture can crash its instances. */
  readonly crash: boolean;
}

/** One process' view of a database. */
export interface StoreInstance {
  readonly store: (service: string) => Store;
}

/** What a store's factory gives. */
export interface StoreFixture extends AdapterFixture<StoreInstance> {
  /** Before the names of services, where several tests share one database. Default none. */
  readonly prefix?: string;
  /** What the database calls a column of bytes. Default `blob`. */
  readonly bytesType?: string;
}

/** Where one test of a store runs: whatever it opens is closed behind it. */
export class StoreEnvironment {
  readonly fixture: StoreFixture;
  readonly #prefix: string;
  readonly #stores = new Set<Store>();
  #count = 0;

  constructor(fixture: StoreFixture) {
    this.fixture = fixture;
    this.#prefix = fixture.prefix ?? "";
  }

  /** A service's store in another instance, opened. */
  async store(service: string = "billing"): Promise<Store> {
    const store = this.fixture.connect().store(this.#prefix + service);
    await store.open();
    this.#stores.add(store);
    return store;
  }

  /** An id that is greater than all before. */
  id(): string {
    return `0198c000-0000-7000-8000-${(++this.#count).toString(16).padStart(12, "0")}`;
  }

  /** An outgoing message. */
  outgoing(
    change: { readonly key?: string; readonly id?: string; readonly body?: Outgoing["body"]; readonly destination?: string } = {},
  ): Outgoing {
    const id = change.id ?? this.id();
    const key = change.key === undefined ? {} : { partitionkey: change.key };
    return {
      destination: change.destination ?? "orders.events",
      mayRepeat: false,
      envelope: {
        id,
        source: "/billing",
        type: "orders.placed",
        kind: "event",
        contractversion: 1,
        time: "2026-01-01T00:00:00.000Z",
        ...key,
      },
      headers: NO_HEADERS,
      body: change.body ?? JSON.stringify({ id }),
    };
  }

  /** An inbox entry. */
  entry(messageId: string = this.id(), change: Partial<InboxEntry> = {}): InboxEntry {
    return { handler: "orders.placed", messageId, bodyHash: "hash", ...change };
  }

  /** A scheduled message. */
  scheduled(dueAt: number, change: Partial<ScheduledMessage> = {}): ScheduledMessage {
    const message = this.outgoing();
    return { id: message.envelope.id, dueAt, message, ...change };
  }

  /** A held message: one to retry at `dueAt` unless told otherwise. */
  held(dueAt: number | undefined, change: Partial<HeldMessage> = {}): HeldMessage {
    const { envelope, headers, body } = this.outgoing();
    return {
      id: envelope.id,
      purpose: dueAt === undefined ? "parked" : "retry",
      dueAt,
      destination: "orders.events",
      lane: 0,
      key: undefined,
      isOrdered: false,
      envelope,
      headers,
      body,
      failures: 1,
      firstFailedAt: 1_767_225_600_000,
      deadLetterId: undefined,
      redrives: 0,
      ...change,
    };
  }

  /** A dead letter. */
  letter(change: Partial<DeadLetter> = {}): DeadLetter {
    const { envelope, headers, body } = this.outgoing();
    return {
      id: this.id(),
      service: `${this.#prefix}billing`,
      list: "failed",
      contract: "orders.placed",
      messageId: envelope.id,
      destination: "orders.events",
      lane: 0,
      key: undefined,
      isOrdered: false,
      envelope,
      headers,
      body,
      code: "PR_HANDLER_FAILED",
      reason: "no such customer",
      stack: undefined,
      fingerprint: "f-1",
      attempts: 6,
      at: 1_767_225_600_000,
      redrives: 0,
      ...change,
    };
  }

  /** Waits until something holds. */
  until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
    return until(this.fixture, condition, what);
  }

  /** Ends all instances as the death of their processes would. */
  async crash(): Promise<void> {
    assert.ok(this.fixture.crash, "the fixture declares the feature `crash`");
    await this.fixture.crash();
    this.#stores.clear();
  }

  /** Closes what was opened. */
  async close(): Promise<void> {
    for (const store of this.#stores) await store.close();
    await this.fixture.close();
  }
}

/** Runs steps in one transaction. */
export async function inOne(store: Store, ...steps: readonly ((transaction: StoreTransaction) => unknown)[]): Promise<void> {
  await store.transaction(async (transaction) => {
    for (const step of steps) await step(transaction);
  });
}

/** Runs a transaction that changes something and is then rolled back. */
export async function rolledBack(store: Store, step: (transaction: StoreTransaction) => unknown): Promise<void> {
  const attempt = store.transaction(async (transaction) => {
    await step(transaction);
    throw new Error("rolled back by the test");
  });
  await assert.rejects(attempt, /rolled back by the test/);
}
