import type { Connection, Reader } from "@platformatic/kafka";
import { fail } from "../../base/errors.ts";
import type { KafkaModule } from "./vendor.ts";

/** A client that has connections to brokers. */
export interface LinkOwner {
  connectToBrokers(nodeIds: number[]): Promise<Map<number, Connection>>;
  clearMetadata(): void;
}

/** A request of the protocol, written and read by us. */
export interface LinkRequest<Answer> {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly payload: readonly Buffer[];
  readonly read: (reader: Reader) => Answer;
}

/** Sends requests of our own over the client's connections: with its TLS, its authentication, its time limits, but not its encoding. */
export class BrokerLink {
  readonly #kafka: KafkaModule;
  readonly #client: LinkOwner;
  readonly #connections = new Map<number, Connection>();

  constructor(kafka: KafkaModule, client: LinkOwner) {
    this.#kafka = kafka;
    this.#client = client;
  }

  /** Sends to a broker, at once where there is a connection; rejects when that breaks or the time is up, and then the next call makes a new one. */
  request<Answer>(node: number, request: LinkRequest<Answer>): Promise<Answer> {
    const known = this.#connections.get(node);
    if (known?.isConnected() === true) return this.#send(node, known, request);
    return this.#connect(node).then((connection) => this.#send(node, connection, request));
  }

  #send<Answer>(node: number, connection: Connection, { apiKey, apiVersion, payload, read }: LinkRequest<Answer>): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const writer = this.#kafka.Writer.create();
    for (const part of payload) writer.append(part);
    connection.send(
      apiKey,
      apiVersion,
      () => writer,
      (_id, _key, _version, reader) => read(reader),
      false,
      false,
      (error, answer) => {
        if (error === null) return resolve(answer as Answer);
        this.#connections.delete(node);
        this.#client.clearMetadata();
        reject(error);
      },
    );
    return promise;
  }

  async #connect(node: number): Promise<Connection> {
    try {
      const connection = (await this.#client.connectToBrokers([node])).get(node);
      if (connection === undefined)
        throw fail("PR_TRANSPORT_FAILED", { transport: "kafka", during: "connecting", detail: `there is no broker ${node}` });
      this.#connections.set(node, connection);
      return connection;
    } catch (error) {
      this.#client.clearMetadata();
      throw error;
    }
  }
}
