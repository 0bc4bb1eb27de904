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

/** NestJS with its RabbitMQ transport: a quorum queue, persistent messages, confirms, acknowledgements by hand. It checks no schema. */
export function nestjs(prefetchCount: number): RabbitPeer {
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
      const options = { ...optionsOf(url), noAck: false, prefetchCount };
      const app: INestMicroservice = await NestFactory.createMicroservice<RmqOptions>(moduleOf(onHandled), {
        transport: Transport.RMQ,
        options,
      });
      await app.listen();
      return { [Symbol.asyncDispose]: () => app.close() };
    },
  };
}

function optionsOf(url: string): NonNullable<RmqOptions["options"]> {
  return {
    urls: [url],
    queue: "orders",
    queueOptions: { durable: true, arguments: { "x-queue-type": "quorum" } },
    persistent: true,
    socketOptions: { connectionOptions: { noDelay: true } },
  };
}

/** What decorators would do, written out: Node runs no decorators. */
function moduleOf(onHandled: (n: number) => void): new () => object {
  class Orders {
    placed(order: Order, context: RmqContext): void {
      onHandled(numberOf(order));
      (context.getChannelRef() as Channel).ack(context.getMessage() as ConsumeMessage);
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
