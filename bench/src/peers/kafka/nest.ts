import { Controller, Module } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { ClientKafka, EventPattern, MessagePattern, Payload, Transport, type KafkaOptions } from "@nestjs/microservices";
import { lastValueFrom } from "rxjs";
import { numberOf, orders, type Order } from "../../order.ts";
import { freshName, PARTITIONS, type KafkaPeer } from "./peer.ts";
import { createTopic, fillTopic } from "./raw.ts";

/** NestJS microservices on their Kafka transport (kafkajs), with the defaults of their guide; sends are confirmed by all replicas, as kafkajs does by itself. */
export class NestKafka implements KafkaPeer {
  readonly #brokers: string[];
  readonly #topic = freshName("nest");
  readonly #asked = freshName("nestask");
  readonly #closers: (() => Promise<unknown>)[] = [];
  readonly #order = orders();

  constructor(url: string) {
    this.#brokers = [new URL(url).host];
  }

  async prepare(): Promise<void> {
    for (const topic of [this.#topic, this.#asked, `${this.#asked}.reply`]) await createTopic(this.#brokers, topic, PARTITIONS);
  }

  async openSender(): Promise<(n: number) => Promise<unknown>> {
    const client = await this.#client();
    return (n) => {
      const value = this.#order(n);
      return lastValueFrom(client.emit(this.#topic, { key: value.orderId, value }));
    };
  }

  async openRequester(): Promise<(n: number) => Promise<unknown>> {
    const client = await this.#client(this.#asked);
    return (n) => {
      const value = this.#order(n);
      return lastValueFrom(client.send(this.#asked, { key: value.orderId, value }));
    };
  }

  async openReader(onHandled: (n: number) => void): Promise<void> {
    const app = await NestFactory.createMicroservice<KafkaOptions>(moduleOf(controllerOf(this.#topic, this.#asked, onHandled)), {
      transport: Transport.KAFKA,
      logger: false,
      options: {
        client: { brokers: this.#brokers, clientId: "nest" },
        consumer: { groupId: `group.${this.#topic}` },
        subscribe: { fromBeginning: true },
      },
    });
    await app.listen();
    this.#closers.push(() => app.close());
  }

  fill(messages: number): Promise<void> {
    return fillTopic(this.#brokers, this.#topic, messages);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const close of this.#closers.toReversed()) await close();
  }

  async #client(asked?: string): Promise<ClientKafka> {
    const client = new ClientKafka({
      client: { brokers: this.#brokers, clientId: "nest-client" },
      consumer: { groupId: freshName("nestclient") },
      producerOnlyMode: asked === undefined,
    });
    if (asked !== undefined) client.subscribeToResponseOf(asked);
    await client.connect();
    this.#closers.push(() => client.close());
    return client;
  }
}

/** What decorators would do, written out: Node runs no decorators. */
function controllerOf(topic: string, asked: string, onHandled: (n: number) => void): new () => object {
  class Orders {
    handle(order: Order): void {
      onHandled(numberOf(order));
    }

    answer(order: Order): { readonly orderId: string } {
      onHandled(numberOf(order));
      return { orderId: order.orderId };
    }
  }
  const descriptorOf = (method: keyof Orders): PropertyDescriptor => Object.getOwnPropertyDescriptor(Orders.prototype, method)!;
  Payload()(Orders.prototype, "handle", 0);
  Payload()(Orders.prototype, "answer", 0);
  EventPattern(topic)(Orders.prototype, "handle", descriptorOf("handle"));
  MessagePattern(asked)(Orders.prototype, "answer", descriptorOf("answer"));
  Controller()(Orders);
  return Orders;
}

function moduleOf(controller: new () => object): new () => object {
  class App {
    readonly name = "bench";
  }
  Module({ controllers: [controller] })(App);
  return App;
}
