import { command, createBus, event, service, type Bus, type Service } from "postrider";
import { rabbitmq } from "postrider/rabbitmq";
import { numberOf, orders, OrderSchema, UncheckedSchema } from "../../order.ts";
import { SENDER } from "../../postrider.ts";
import type { MessageKind, RabbitPeer } from "./peer.ts";

const DEFAULT_LANES = 8;
const READER = "ordering";

/** What of Postrider is measured. */
export interface PostriderOnRabbit {
  /** Whether both sides check every field of every order, as an app's contract would. */
  readonly isChecked: boolean;
  readonly lanes?: number;
}

/** Postrider without a store, all else as it comes but perhaps the lanes: eight. */
export function postriderOn(kind: MessageKind, { isChecked, lanes = DEFAULT_LANES }: PostriderOnRabbit): RabbitPeer {
  const schema = isChecked ? OrderSchema : UncheckedSchema;
  const PlaceOrder = command("order.place", { schema, key: (order) => order.orderId });
  const OrderPlaced = event("order.placed", { schema, key: (order) => order.orderId });
  const started = (url: string, run: string, onHandled: (n: number) => void): Promise<Bus> => {
    const contract = kind === "event" ? OrderPlaced : PlaceOrder;
    const handler = service(READER, (on) => on(contract, (order) => onHandled(numberOf(order))));
    return startedOn(url, handler, { lanes, run });
  };
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

async function startedOn(url: string, handler: Service, { lanes, run }: { readonly lanes: number; readonly run: string }): Promise<Bus> {
  const transport = rabbitmq(url);
  const services = [service(SENDER, () => {}), handler];
  const bus = createBus({ services, lanes, run: [run], commands: transport, events: transport, store: "none" });
  await bus.start();
  return bus;
}
