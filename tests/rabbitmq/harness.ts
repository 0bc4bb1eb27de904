import assert from "node:assert/strict";
import { systemClock } from "../../packages/postrider/src/base/clock.ts";
import { NO_HEADERS } from "../../packages/postrider/src/envelope/envelope.ts";
import type { Outgoing } from "../../packages/postrider/src/envelope/envelope.ts";
import type { Logger } from "../../packages/postrider/src/ports/logger.ts";
import type { Delivery, Destination, Sink, Subscription, Transport } from "../../packages/postrider/src/ports/transport.ts";
import { rabbitmq } from "../../packages/postrider/src/presets/rabbitmq.ts";
import type { RabbitmqOptions } from "../../packages/postrider/src/presets/rabbitmq.ts";

/** Where the tests' services write and read. */
export const ORDERS: Destination = { name: "order.events", kind: "events", lanes: 4, isExternal: false };

const STEP_MS = 10;
/** Says nothing. */
export const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** One message as it was handled. */
export interface Handled {
  readonly key: string;
  readonly at: number;
  readonly atMs: number;
}

/** A transport with short times, opened. */
export async function openTransport(url: string, options: Partial<RabbitmqOptions> = {}): Promise<Transport> {
  const transport = rabbitmq({ url, heartbeatSeconds: 2, rebalanceMs: 200, connectTimeoutMs: 2000, logger: SILENT, ...options });
  await transport.open();
  return transport;
}

/** A subscription to everything of {@link ORDERS}. */
export function subscriptionOf(change: Partial<Subscription> = {}): Subscription {
  const limits = { prefetchCount: 500, prefetchBytes: 1 << 24 };
  return { service: "reader", destination: ORDERS, types: undefined, where: {}, from: "earliest", ...limits, ...change };
}

/** Message number `at` of a stream over so many keys. */
export function numbered(at: number, keys: number, body: string = String(at)): Outgoing {
  const envelope = {
    id: `m-${at}`,
    source: "/sender",
    type: "order.placed",
    kind: "event",
    contractversion: 1,
    time: "2026-01-01T00:00:00.000Z",
    partitionkey: `key-${at % keys}`,
    subject: String(at),
  } as const;
  return { destination: ORDERS.name, envelope, headers: NO_HEADERS, body, mayRepeat: false };
}

/** Handles everything and remembers it, repetitions included. */
export class Taker implements Sink {
  readonly taken: Handled[] = [];
  readonly seen: Set<number> = new Set();
  readonly #waitMs: number;

  /** `waitMs`: how long each message takes. */
  constructor(waitMs: number = 0) {
    this.#waitMs = waitMs;
  }

  onAssigned(): void {}

  onRevoked(): void {}

  onError(): void {}

  deliver(_lane: unknown, batch: readonly Delivery[]): void {
    if (this.#waitMs === 0) for (const delivery of batch) this.#handle(delivery);
    else void systemClock.sleep(this.#waitMs).then(() => batch.forEach((delivery) => this.#handle(delivery)));
  }

  #handle(delivery: Delivery): void {
    const { partitionkey: key, subject } = delivery.envelope!;
    this.taken.push({ key: key!, at: Number(subject), atMs: performance.now() });
    this.seen.add(Number(subject));
    void delivery.ack();
  }
}

/** Fails if a key's messages came for the first time in another order than they were sent. */
export function assertOrderPerKey(taken: readonly Handled[]): void {
  const last = new Map<string, number>();
  const seen = new Set<number>();
  for (const { key, at } of taken) {
    if (seen.has(at)) continue;
    seen.add(at);
    assert.ok(at > (last.get(key) ?? -1), `${at} of ${key} came behind ${last.get(key)}`);
    last.set(key, at);
  }
}

/** Waits until something holds; fails after a minute. */
export async function until(condition: () => boolean | Promise<boolean>, what: string, limitMs: number = 60_000): Promise<void> {
  const end = performance.now() + limitMs;
  while (!(await condition())) {
    if (performance.now() > end) assert.fail(`waited ${limitMs} ms in vain until ${what}`);
    await systemClock.sleep(STEP_MS);
  }
}
