import { setImmediate as immediate } from "node:timers/promises";
import { connect, type ConfirmChannel } from "amqplib";
import { numberOf, orders, type Order } from "../../order.ts";
import { PREFETCH, type MessageKind, type RabbitPeer } from "./peer.ts";

const [EXCHANGE, QUEUE] = ["orders", "orders.ordering"];
const NAME = "order.placed";

/** How messages are acknowledged: each by itself, or all up to the last one of a turn of the event loop in one. */
export type Acks = "each" | "merged";

/** amqplib as one would write it by hand: one quorum queue, persistent messages, confirms, no identity beyond the body. It checks no schema. */
export function byHand(kind: MessageKind, acks: Acks): RabbitPeer {
  return {
    async openWriter(url) {
      const connection = await connect(url, { noDelay: true });
      const channel = await connection.createConfirmChannel();
      await declare(channel, kind);
      const order = orders();
      const send = (n: number): Promise<void> =>
        new Promise((resolve, reject) => {
          const content = Buffer.from(JSON.stringify(order(n)));
          channel.publish(EXCHANGE, NAME, content, { persistent: true, contentType: "application/json" }, (error: unknown) => {
            if (error === null) resolve();
            else reject(new Error("refused", { cause: error }));
          });
        });
      return { send, [Symbol.asyncDispose]: () => connection.close() };
    },
    async openReader(url, onHandled) {
      const connection = await connect(url, { noDelay: true });
      const channel = await connection.createChannel();
      await channel.prefetch(PREFETCH);
      let isAcking = false;
      await channel.consume(QUEUE, (message) => {
        onHandled(numberOf(JSON.parse(message!.content.toString()) as Order));
        if (acks === "each") return channel.ack(message!);
        if (isAcking) return;
        isAcking = true;
        setImmediate(() => {
          isAcking = false;
          channel.ackAll();
        });
      });
      const close = async (): Promise<void> => {
        await immediate(); // the last acknowledgement
        await connection.close();
      };
      return { [Symbol.asyncDispose]: close };
    },
  };
}

async function declare(channel: ConfirmChannel, kind: MessageKind): Promise<void> {
  await channel.assertExchange(EXCHANGE, kind === "event" ? "topic" : "direct");
  await channel.assertQueue(QUEUE, { durable: true, arguments: { "x-queue-type": "quorum" } });
  await channel.bindQueue(QUEUE, EXCHANGE, NAME);
}
