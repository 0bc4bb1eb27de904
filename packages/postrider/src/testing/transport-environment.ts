import assert from "node:assert/strict";
import { NO_HEADERS } from "../envelope/envelope.ts";
import type { Envelope, Headers, WireBody, Outgoing } from "../envelope/envelope.ts";
import type { Store } from "../ports/store.ts";
import type { Delivery, Destination, Subscription, Transport, TransportCapabilities } from "../ports/transport.ts";
import { Reader } from "./reader.ts";
import type { ReaderOptions } from "./reader.ts";
import type { AdapterFixture } from "./suite.ts";
import { quiet, until } from "./wait.ts";

/** What a transport can do, declared: what decides which tests apply, and what the docs' table of capabilities shows. */
export interface TransportFeatures extends Pick<
  TransportCapabilities,
  "lanes" | "manyProcesses" | "positions" | "priority" | "redeliveredFlag" | "replay"
> {
  /** Whether a new subscription can begin with messages that were there before it. */
  readonly history: boolean;
  /** Whether it lives in its store's database. */
  readonly colocated: boolean;
  /** Whether it has a limit for bodies that the fixture keeps at 2 MiB or less. */
  readonly bodyLimit: boolean;
  /** Whether the fixture can crash its instances. */
  readonly crash: boolean;
  /** Whether the fixture can write messages as others would. */
  readonly foreign: boolean;
  /** Whether it can forget subscriptions, and lets a new reader of commands go on where an earlier one stood. Default false. */
  readonly retire?: boolean;
}

/** One process' view of a transport, and of the store that shares its database if it has one. */
export interface TransportInstance {
  readonly transport: Transport;
  readonly store?: (service: string) => Store;
}

/** What a transport's factory gives. */
export interface TransportFixture extends AdapterFixture<TransportInstance> {
  /** Before the names of destinations and services, where several tests share one broker. Default none. */
  readonly prefix?: string;
  /** Writes a message as somebody who knows nothing of Postrider would. */
  readonly plant?: (destination: string, message: { readonly headers: Headers; readonly body: WireBody }) => Promise<void>;
}

/** What a message of a test is made of. */
export interface MessageOptions {
  readonly id?: string;
  readonly key?: string;
  readonly type?: string;
  readonly body?: WireBody;
  readonly headers?: Headers;
  readonly priority?: "high";
  readonly attributes?: Partial<Envelope>;
}

/** What most tests begin with. */
interface Subscribed {
  readonly transport: Transport;
  readonly orders: Destination;
  readonly subscription: Subscription;
}

/** Where one test of a transport runs: whatever it opens is closed behind it. */
export class TransportEnvironment {
  readonly fixture: TransportFixture;
  readonly #prefix: string;
  readonly #transports = new Set<Transport>();
  readonly #stores = new Set<Store>();
  readonly #readers: Reader[] = [];
  #count = 0;

  constructor(fixture: TransportFixture) {
    this.fixture = fixture;
    this.#prefix = fixture.prefix ?? "";
  }

  /** Another instance's transport, opened. */
  async transport(): Promise<Transport> {
    const { transport } = this.fixture.connect();
    await transport.open();
    this.#transports.add(transport);
    return transport;
  }

  /** Another instance's transport and a store in its database, both opened. */
  async colocated(service: string = "reader"): Promise<{ readonly transport: Transport; readonly store: Store }> {
    const instance = this.fixture.connect();
    const store = instance.store?.(this.#prefix + service);
    assert.ok(store, "the fixture of a colocated transport has a store");
    await instance.transport.open();
    await store.open();
    this.#transports.add(instance.transport);
    this.#stores.add(store);
    return { transport: instance.transport, store };
  }

  /** A destination. Default an event destination with 4 lanes. */
  destination(name: string = "orders.events", lanes: number = 4): Destination {
    return { name: this.#prefix + name, kind: name.endsWith(".commands") ? "commands" : "events", lanes, isExternal: false };
  }

  /** A subscription that wants everything from the first message on. */
  subscription(destination: Destination, change: Partial<Subscription> = {}): Subscription {
    const service = this.#prefix + (change.service ?? "reader");
    return { destination, types: undefined, where: {}, prefetchCount: 100, prefetchBytes: 1 << 24, from: "earliest", ...change, service };
  }

  /** A transport with a destination and a subscription to it. */
  async subscribed(orders: Destination = this.destination(), change: Partial<Subscription> = {}): Promise<Subscribed> {
    const transport = await this.transport();
    const subscription = this.subscription(orders, change);
    await this.apply(transport, [subscription]);
    return { transport, orders, subscription };
  }

  /** See {@link subscribed}; with a store in its database. */
  async subscribedBeside(orders: Destination = this.destination()): Promise<Subscribed & { readonly store: Store }> {
    const { transport, store } = await this.colocated();
    const subscription = this.subscription(orders);
    await this.apply(transport, [subscription]);
    return { transport, store, orders, subscription };
  }

  /** Makes the destinations of subscriptions, and those besides. */
  async apply(transport: Transport, subscriptions: readonly Subscription[], destinations: readonly Destination[] = []): Promise<void> {
    const all = new Map([...destinations, ...subscriptions.map(({ destination }) => destination)].map((one) => [one.name, one]));
    await transport.apply({ destinations: [...all.values()], subscriptions });
  }

  /** A message; each has an id of its own. */
  message(destination: Destination, options: MessageOptions = {}): Outgoing {
    const count = ++this.#count;
    const id = options.id ?? `0198c000-0000-7000-8000-${count.toString(16).padStart(12, "0")}`;
    const envelope: Envelope = {
      id,
      source: "/suite",
      type: options.type ?? "orders.placed",
      kind: "event",
      contractversion: 1,
      time: "2026-01-01T00:00:00.000Z",
      ...(options.key === undefined ? {} : { partitionkey: options.key }),
      ...(options.priority === undefined ? {} : { priority: options.priority }),
      ...options.attributes,
    };
    return {
      destination: destination.name,
      mayRepeat: false,
      envelope,
      headers: options.headers ?? NO_HEADERS,
      body: options.body ?? JSON.stringify({ count }),
    };
  }

  /** That many messages. */
  messages(destination: Destination, count: number, options: (at: number) => MessageOptions = () => ({})): Outgoing[] {
    return Array.from({ length: count }, (_, at) => this.message(destination, options(at)));
  }

  /** Sends, and fails unless every message was taken. */
  async send(transport: Transport, messages: readonly Outgoing[]): Promise<void> {
    const outcomes = await transport.send(messages, { deadlineMs: 10_000 });
    assert.deepEqual(
      [...outcomes],
      Array.from(messages, () => undefined),
    );
  }

  /** Starts to read. */
  async consume(transport: Transport, subscription: Subscription, options: ReaderOptions = {}): Promise<Reader> {
    const reader = new Reader(options);
    reader.consumption = await transport.consume(subscription, reader);
    this.#readers.push(reader);
    return reader;
  }

  /** Reads without settling: the deliveries stay out. */
  async hold(transport: Transport, subscription: Subscription): Promise<Reader> {
    return this.consume(transport, subscription, { onDelivery: () => undefined });
  }

  /** Waits until something holds. */
  until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
    return until(this.fixture, condition, what);
  }

  /** Lets enough time pass for what should not happen to happen. */
  quiet(): Promise<void> {
    return quiet(this.fixture);
  }

  /** Ends all instances as the death of their processes would. */
  async crash(): Promise<void> {
    assert.ok(this.fixture.crash, "the fixture declares the feature `crash`");
    await this.fixture.crash();
    this.#transports.clear();
    this.#stores.clear();
  }

  /** Closes what was opened, and fails if anything went wrong where no caller waits. */
  async close(): Promise<void> {
    for (const transport of this.#transports) await transport.close();
    for (const store of this.#stores) await store.close();
    await this.fixture.close();
    for (const reader of this.#readers) assert.deepEqual(reader.errors, [], "no error was reported to a sink");
  }
}

/** Settles deliveries and waits for it. */
export async function ackAll(deliveries: readonly Delivery[]): Promise<void> {
  await Promise.all(deliveries.map(async (delivery) => delivery.ack()));
}
