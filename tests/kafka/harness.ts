import { fail } from "node:assert/strict";
import { systemClock } from "../../packages/postrider/src/base/clock.ts";
import { uuidv7Ids } from "../../packages/postrider/src/base/ids.ts";
import type { PostriderError } from "../../packages/postrider/src/base/errors.ts";
import type { Outgoing } from "../../packages/postrider/src/envelope/envelope.ts";
import type {
  Consumption,
  Delivery,
  Destination,
  Lane,
  Sink,
  Subscription,
  Transport,
} from "../../packages/postrider/src/ports/transport.ts";
import { kafka } from "../../packages/postrider/src/presets/kafka.ts";
import type { KafkaOptions } from "../../packages/postrider/src/presets/kafka.ts";
import { silentLogger } from "../../packages/postrider/src/telemetry/json-logger.ts";

const ids = uuidv7Ids(systemClock);

/** `host:port` of a bench's URL. */
export function brokersOf(url: string): string[] {
  return [url.replace(/^kafka:\/\//, "")];
}

/** A transport with the library's defaults, but a quick heartbeat. */
export async function openTransport(url: string, options: Partial<KafkaOptions> = {}): Promise<Transport> {
  const transport = kafka({ brokers: brokersOf(url), logger: silentLogger, heartbeatMs: 500, ...options });
  await transport.open();
  return transport;
}

/** A destination of a test's own. */
export function freshDestination(lanes: number): Destination {
  return { name: `t${ids.next().slice(-12)}.events`, kind: "events", lanes, isExternal: false };
}

export function subscriptionTo(destination: Destination, change: Partial<Subscription> = {}): Subscription {
  return {
    service: "reader",
    destination,
    types: undefined,
    where: {},
    prefetchCount: 1000,
    prefetchBytes: 1 << 24,
    from: "earliest",
    ...change,
  };
}

/** The `at`-th message: keys in turn, the number in the body. */
export function numbered(destination: Destination, at: number, keys: number): Outgoing {
  const envelope = {
    id: ids.next(),
    source: "/test",
    type: "test.numbered",
    kind: "event" as const,
    contractversion: 1,
    time: "2026-01-01T00:00:00.000Z",
    partitionkey: `key-${at % keys}`,
  };
  return { destination: destination.name, mayRepeat: false, envelope, headers: {}, body: JSON.stringify({ at }) };
}

export function numberOf({ body }: Pick<Delivery, "body">): number {
  return (JSON.parse(String(body)) as { at: number }).at;
}

/** Waits until something holds; looks every few milliseconds. */
export async function until(condition: () => boolean | Promise<boolean>, what: string, limitMs = 60_000): Promise<void> {
  const endMs = performance.now() + limitMs;
  while (!(await condition())) {
    if (performance.now() > endMs) fail(`waited ${limitMs} ms in vain until ${what}`);
    await systemClock.sleep(5);
  }
}

/** A sink that notes what came, when and to whom, and settles it. */
export class Taker implements Sink {
  readonly name: string;
  readonly taken: { readonly at: number; readonly key: string; readonly lane: number; readonly epoch: number; readonly atMs: number }[] =
    [];
  readonly errors: PostriderError[] = [];
  readonly lanes = new Map<number, Lane>();
  consumption: Consumption | undefined;

  constructor(name: string) {
    this.name = name;
  }

  onAssigned(lane: Lane): void {
    this.lanes.set(lane.number, lane);
  }

  onRevoked(lane: Lane): void | Promise<void> {
    this.lanes.delete(lane.number);
  }

  deliver(lane: Lane, batch: readonly Delivery[]): void {
    for (const delivery of batch) {
      this.taken.push({
        at: numberOf(delivery),
        key: delivery.envelope!.partitionkey!,
        lane: lane.number,
        epoch: lane.epoch,
        atMs: performance.now(),
      });
      void delivery.ack();
    }
  }

  onError(error: PostriderError): void {
    this.errors.push(error);
  }
}

/** Starts to take. */
export async function take(transport: Transport, subscription: Subscription, name = "one"): Promise<Taker> {
  const taker = new Taker(name);
  taker.consumption = await transport.consume(subscription, taker);
  return taker;
}

/** Fails unless each key's numbers, each counted at its first coming, grow. */
export function assertOrderPerKey(taken: readonly { readonly at: number; readonly key: string }[]): void {
  const last = new Map<string, number>();
  const seen = new Set<number>();
  for (const { at, key } of taken) {
    if (seen.has(at)) continue;
    seen.add(at);
    if (at < (last.get(key) ?? -1)) fail(`${key}: ${at} came after ${last.get(key)}`);
    last.set(key, at);
  }
}
