import { command, createBus, service, type Bus } from "postrider";
import { kafka } from "postrider/kafka";
import { z } from "zod";
import { numberOf, orders, OrderSchema, UncheckedSchema, type Order } from "../../order.ts";
import { freshName, PARTITIONS, type KafkaPeer } from "./peer.ts";

const SENDER = "storefront";
const HANDLER = "ordering";

/** What of Postrider is measured. */
export interface PostriderOnKafka {
  /** Whether both sides check every field of every order, as an app's contract would. */
  readonly isChecked: boolean;
}

/** Postrider on Kafka without a store, everything else at its defaults. */
export class PostriderKafka implements KafkaPeer {
  readonly #url: string;
  readonly #buses: Bus[] = [];
  readonly #contracts: ReturnType<typeof contracts>;

  constructor(url: string, options: PostriderOnKafka) {
    this.#url = url;
    this.#contracts = contracts(freshName("bench"), options);
  }

  prepare(): Promise<void> {
    return Promise.resolve();
  }

  async openSender(): Promise<(n: number) => Promise<unknown>> {
    const [bus, order] = [await this.#start(SENDER, () => {}), orders()];
    const sender = bus.as(SENDER);
    const { PlaceOrder } = this.#contracts;
    return (n) => sender.send(PlaceOrder, order(n));
  }

  async openReader(onHandled: (n: number) => void): Promise<void> {
    await this.#start(HANDLER, onHandled);
  }

  async openRequester(): Promise<(n: number) => Promise<unknown>> {
    const [bus, order] = [await this.#start(SENDER, () => {}), orders()];
    const sender = bus.as(SENDER);
    const { AskOrder } = this.#contracts;
    return (n) => sender.request(AskOrder, order(n));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const bus of this.#buses.toReversed()) await bus.stop();
  }

  async #start(name: string, onHandled: (n: number) => void): Promise<Bus> {
    const { PlaceOrder, AskOrder } = this.#contracts;
    const ordering = service(HANDLER, (on) => {
      on(PlaceOrder, (order) => onHandled(numberOf(order)));
      on(AskOrder, (order, { reply }) => {
        onHandled(numberOf(order));
        reply({ orderId: order.orderId });
      });
    });
    const transport = kafka({ brokers: [new URL(this.#url).host], replyTopic: freshName("benchreplies") });
    const services = [service(SENDER, () => {}), ordering];
    const bus = createBus({ services, run: [name], commands: transport, events: transport, store: "none", lanes: PARTITIONS });
    this.#buses.push(bus);
    await bus.start();
    return bus;
  }
}

function contracts(context: string, { isChecked }: PostriderOnKafka) {
  const schema = isChecked ? OrderSchema : UncheckedSchema;
  const key = (order: Order): string => order.orderId;
  return {
    PlaceOrder: command(`${context}.place`, { schema, key }),
    AskOrder: command(`${context}.ask`, { schema, key, reply: z.object({ orderId: z.string() }) }),
  };
}
