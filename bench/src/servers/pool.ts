import { join } from "node:path";
import type { ServerName } from "../case.ts";
import { startKafka } from "./kafka.ts";
import { startPostgres } from "./postgres.ts";
import { Unavailable, type Server } from "./process.ts";
import { startRabbitmq } from "./rabbitmq.ts";
import { startRedis } from "./redis.ts";

const STARTERS: Readonly<Record<ServerName, (folder: string) => Promise<Server>>> = {
  redis: (folder) => startRedis(folder, { isSynced: false }),
  redisAof: (folder) => startRedis(folder, { isSynced: true }),
  postgres: startPostgres,
  kafka: startKafka,
  rabbitmq: startRabbitmq,
};

/** The servers of one run: started when first needed, stopped with the pool. */
export class ServerPool implements AsyncDisposable {
  readonly #folder: string;
  readonly #servers = new Map<ServerName, Server>();
  readonly #missing = new Map<ServerName, string>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Why a server cannot be had here, or undefined once it runs. */
  async ensure(name: ServerName): Promise<string | undefined> {
    if (this.#servers.has(name) || this.#missing.has(name)) return this.#missing.get(name);
    try {
      this.#servers.set(name, await STARTERS[name](join(this.#folder, name)));
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      this.#missing.set(name, error.message);
    }
    return this.#missing.get(name);
  }

  get urls(): Partial<Record<ServerName, string>> {
    return Object.fromEntries([...this.#servers].map(([name, { url }]) => [name, url]));
  }

  get versions(): Partial<Record<ServerName, string>> {
    return Object.fromEntries([...this.#servers].map(([name, { version }]) => [name, version]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers.values()) await server[Symbol.asyncDispose]();
    this.#servers.clear();
  }
}
