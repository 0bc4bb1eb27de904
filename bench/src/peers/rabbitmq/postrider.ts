import { command, createBus, event, service, type Bus } from "postrider";
import { rabbitmq } from "postrider/rabbitmq";
import { numberOf, orders, OrderSchema } from "../../order.ts";
import { SENDER } from "../../postrider.ts";
import type { MessageKind, RabbitPeer } from "./peer.ts";

interface Start {
  readonly url: string;
  readonly kind: MessageKind;
  readonly lanes: number;
  readonly run: string;
  readonly onHandled: (n: number) => void;
}

const DEFAULT_LANES = 8;
const READER = "ordering";
const PlaceOrder = command("order.place", { schema: OrderSchema, key: (order) => order.orderId });
const OrderPlaced = event("order.placed", { schema: OrderSchema, key: (order) => order.orderId });

/** Postrider without a store, all else as it comes but perhaps the lanes: eight, schema checked on both sides. */
export function postriderOn(kind: MessageKind, lanes: number = DEFAULT_LANES): RabbitPeer {
  const started = (url: string, run: string, onHandled: (n: number) => void): Promise<Bus> =>
    startedOn({ url, kind, lanes, run, onHandled });
  return {
    async openWriter(url) {
      const bus = await started(url, SENDER, () => {});
      const [sender, order] = [bus.as(SENDER), orders()];
      const send =
        kind === "event"
          ? (n: number): Promise<unknown> => sender.publish(OrderPlaced, order(n))
          : (n: number): Promise<unknown> => sender.send(PlaceOrder, order(n));
      return { send, [Symbol.asyncDispose]: () => bus.stop() };
    },
    async openReader(url, onHandled) {
      const bus = await started(url, READER, onHandled);
      return { [Symbol.asyncDispose]: () => bus.stop() };
    },
  };
}

async function startedOn({ url, kind, lanes, run, onHandled }: Start): Promise<Bus> {
  const transport = rabbitmq(url);
  const handle = (order: { readonly orderId: string }): void => onHandled(numberOf(order));
  const services = [
    service(SENDER, () => {}),
    service(READER, (on) => {
      if (kind === "event") on(OrderPlaced, handle);
      else on(PlaceOrder, handle);
    }),
  ];
  const bus = createBus({ services, lanes, run: [run], commands: transport, events: transport, store: "none" });
  await bus.start();
  return bus;
}
