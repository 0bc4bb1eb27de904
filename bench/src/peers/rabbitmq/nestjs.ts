// oxlint-disable-next-line import/no-unassigned-import -- what NestJS asks for
import "reflect-metadata";
import { Controller, Logger, Module, type INestMicroservice } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { ClientProxyFactory, Ctx, EventPattern, Payload, Transport, type RmqContext, type RmqOptions } from "@nestjs/microservices";
import type { Channel, ConsumeMessage } from "amqplib";
import { lastValueFrom } from "rxjs";
import { numberOf, orders, type Order } from "../../order.ts";
import type { RabbitPeer } from "./peer.ts";

const PATTERN = "order.placed";
Logger.overrideLogger(["error", "warn"]);

/**
 * NestJS with its RabbitMQ transport, which has confirms and checks no schema. With a prefetch it is like the others: a quorum queue, persistent messages,
 * acknowledgements by hand, `noDelay`. Without one it is as it comes: a classic queue, messages that a restart of the broker loses, none acknowledged.
 */
export function nestjs(prefetchCount: number | undefined): RabbitPeer {
  const optionsOf = prefetchCount === undefined ? ownDefaults : likeOthers;
  return {
    async openWriter(url) {
      const client = ClientProxyFactory.create({ transport: Transport.RMQ, options: { ...optionsOf(url), noAck: true } }); // of answers
      await client.connect();
      const order = orders();
      return {
        send: (n) => lastValueFrom(client.emit(PATTERN, order(n)), { defaultValue: undefined }),
        [Symbol.asyncDispose]: async () => void (await client.close()),
      };
    },
    async openReader(url, onHandled) {
      const options = prefetchCount === undefined ? optionsOf(url) : { ...optionsOf(url), noAck: false, prefetchCount };
      const app: INestMicroservice = await NestFactory.createMicroservice<RmqOptions>(moduleOf(onHandled, prefetchCount !== undefined), {
        transport: Transport.RMQ,
        options,
      });
      await app.listen();
      return { [Symbol.asyncDispose]: () => app.close() };
    },
  };
}

function ownDefaults(url: string): NonNullable<RmqOptions["options"]> {
  return { urls: [url], queue: "orders" };
}

function likeOthers(url: string): NonNullable<RmqOptions["options"]> {
  return {
    urls: [url],
    queue: "orders",
    queueOptions: { durable: true, arguments: { "x-queue-type": "quorum" } },
    persistent: true,
    socketOptions: { connectionOptions: { noDelay: true } },
  };
}

/** What decorators would do, written out: Node runs no decorators. */
function moduleOf(onHandled: (n: number) => void, isAcking: boolean): new () => object {
  class Orders {
    placed(order: Order, context: RmqContext): void {
      onHandled(numberOf(order));
      if (isAcking) (context.getChannelRef() as Channel).ack(context.getMessage() as ConsumeMessage);
    }
  }
  Payload()(Orders.prototype, "placed", 0);
  Ctx()(Orders.prototype, "placed", 1);
  EventPattern(PATTERN)(Orders.prototype, "placed", Object.getOwnPropertyDescriptor(Orders.prototype, "placed")!);
  Controller()(Orders);
  class App {} // oxlint-disable-line typescript/no-extraneous-class -- a module is one
  Module({ controllers: [Orders] })(App);
  return App;
}
