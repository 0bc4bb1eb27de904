import { join } from "node:path";
import {
  command,
  createBus,
  event,
  service,
  type Bus,
  type HandlerContext,
  type Infrastructure,
  type Service,
  type ServiceOptions,
} from "postrider";
import { memory } from "postrider/memory";
import { postgres } from "postrider/postgres";
import { sqlite } from "postrider/sqlite";
import type { Carrier } from "./load.ts";
import { numberOf, orders, OrderSchema, tinyOrders, TinySchema, type Order } from "./order.ts";

/** What a case runs Postrider on, and what its handlers do. */
export interface PostriderOptions {
  readonly on: "memory" | "sqlite" | "postgres";
  /** The database, where it runs on one. */
  readonly url?: string;
  /** Where the SQLite file goes. */
  readonly folder: string;
  /** One business row of 60 bytes for each message, in the transaction that settles it. */
  readonly withRow?: boolean;
  /** Rows that are kept: a later one replaces an earlier. Default: all. */
  readonly keptRows?: number;
  readonly isTiny?: boolean;
  readonly service?: ServiceOptions;
  /** Whether messages are settled by the broker alone: at least once, and nothing remembered. */
  readonly isStoreless?: boolean;
  /** Hears from the start on, of a backlog too. */
  readonly onHandled?: (n: number) => void;
  /** Only these services run here. */
  readonly run?: readonly string[];
}

/** A carrier that must be closed. */
export interface OpenCarrier extends Carrier, AsyncDisposable {}

/** Which service sends; the handlers live in the others. */
export const SENDER = "storefront";
/** Which service handles. */
export const HANDLER = "ordering";

const PlaceOrder = command("order.place", { schema: OrderSchema, key: (order) => order.orderId });
const OrderPlaced = event("order.placed", { schema: OrderSchema, key: (order) => order.orderId });
const PlaceTiny = command("tiny.place", { schema: TinySchema, key: (order) => order.orderId });

const CREATE_TABLE =
  "create table if not exists bench_orders (id integer primary key, customer text not null, total integer not null, note text not null)";
const INSERT_ROW =
  "insert into bench_orders (id, customer, total, note) values (?, ?, ?, ?) on conflict (id) do update set customer = excluded.customer";
const NOTE = "sixty bytes in all with the rest"; // with a customer of 13 bytes, an id and a total of up to 8 each

/** Starts a bus with one service that sends commands and one that handles them. */
export async function commandCarrier(options: PostriderOptions): Promise<OpenCarrier> {
  const carrier = new PostriderCarrier(options);
  const ordering = service(
    HANDLER,
    (on) => {
      if (options.isTiny) on(PlaceTiny, carrier.count);
      else on(PlaceOrder, options.withRow ? carrier.storeRow(options.keptRows) : carrier.count);
    },
    options.service,
  );
  await carrier.start([service(SENDER, () => {}), ordering]);
  if (options.run?.includes(SENDER) === false) return carrier;
  const [sender, order, tiny] = [carrier.bus.as(SENDER), orders(), tinyOrders()];
  carrier.send = options.isTiny ? (n) => sender.send(PlaceTiny, tiny(n)) : (n) => sender.send(PlaceOrder, order(n));
  return carrier;
}

/** Starts a bus with one publisher and so many subscribers of its event. */
export async function eventCarrier(options: PostriderOptions, subscribers: number): Promise<OpenCarrier> {
  const carrier = new PostriderCarrier(options);
  const names = Array.from({ length: subscribers }, (_, index) => `subscriber-${String(index)}`);
  await carrier.start([
    service(SENDER, () => {}),
    ...names.map((name) => service(name, (on) => on(OrderPlaced, carrier.count), options.service)),
  ]);
  const [sender, order] = [carrier.bus.as(SENDER), orders()];
  carrier.send = (n) => sender.publish(OrderPlaced, order(n));
  return carrier;
}

/** What Postrider runs on, with nothing of it changed but the place. */
function infrastructure({ on, folder, url }: Pick<PostriderOptions, "on" | "folder" | "url">): Infrastructure {
  if (on === "memory") return memory();
  return on === "postgres" ? postgres({ url: url! }) : sqlite(databaseFile(folder));
}

/** The SQLite file of a case. */
export function databaseFile(folder: string): string {
  return join(folder, "bench.db");
}

class PostriderCarrier implements OpenCarrier {
  onHandled: (n: number) => void = () => {};
  send: (n: number) => Promise<unknown> = () => Promise.reject(new Error("the carrier has not started"));
  readonly #options: PostriderOptions;
  #bus: Bus | undefined;

  constructor(options: PostriderOptions) {
    this.#options = options;
    if (options.onHandled !== undefined) this.onHandled = options.onHandled;
  }

  get bus(): Bus {
    return this.#bus!;
  }

  readonly count = (order: { readonly orderId: string }): void => this.onHandled(numberOf(order));

  storeRow(keptRows = Infinity): (order: Order, context: Pick<HandlerContext, "tx">) => Promise<void> {
    return async (order, { tx }) => {
      const n = numberOf(order);
      await tx.run(INSERT_ROW, keptRows === Infinity ? n : n % keptRows, order.customerId, order.total.amount, NOTE);
      this.onHandled(n);
    };
  }

  async start(services: readonly Service[]): Promise<void> {
    const { run, isStoreless } = this.#options;
    const on = { ...infrastructure(this.#options), ...(isStoreless && { store: "none" as const }) };
    this.#bus = createBus({ services, ...on, ...(run !== undefined && { run }) });
    await this.#bus.start();
    const owner = run?.[0] ?? HANDLER;
    if (this.#options.withRow) await this.#bus.as(owner).transaction(async ({ tx }) => void (await tx.run(CREATE_TABLE)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#bus?.stop();
  }
}
