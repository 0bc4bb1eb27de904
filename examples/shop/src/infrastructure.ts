import { join } from "node:path";
import type { Infrastructure } from "postrider";
import { kafka } from "postrider/kafka";
import { mysqlStores } from "postrider/mysql";
import { postgres, postgresStores } from "postrider/postgres";
import { rabbitmq } from "postrider/rabbitmq";
import { sqlite } from "postrider/sqlite";
import { inMysqlWords } from "./mysql-words.ts";
import type { Dialect } from "./part.ts";
import { takeSeat } from "./seat.ts";
import type { Seat } from "./seat.ts";
import type { Settings } from "./settings.ts";
import type { World } from "./world.ts";

type Transport = Infrastructure["commands"];
type StoreOf = Exclude<Infrastructure["store"], "none">;

/** What the shop runs on, and which SQL its stores speak. */
export interface ShopInfrastructure extends Infrastructure {
  readonly store: StoreOf;
  readonly dialect: Dialect;
  /** Once nothing of it is used any more. */
  release(): void;
}

// Half the default: an order waits no longer for the lanes of a process that was killed. A process that stalls for longer loses its lanes, and nothing else.
const LEASE_MS = 2_000;
const HEARTBEAT_S = 2; // RabbitMQ misses a frozen process after one to two of them
const KAFKA_SESSION_MS = 6_000; // the least that brokers grant unless they are told otherwise
const REVOKE_MS = 4_000;
// Of one service in one process: a server grants a hundred in all, and a shop split into many processes shares them. Customers wait for the gateway's.
const CONNECTIONS_PER_SERVICE = 4;
const CONNECTIONS_OF_THE_GATEWAY = 8;
const MYSQL_CONNECTIONS = 16; // of one process: its services share them
const SHARED_SCHEMA = "shop";

/** Opens nothing yet: makes of the URLs what carries commands, what carries events, and where services remember. */
export function infrastructureOf(settings: Settings, world: World): ShopInfrastructure {
  const places = new Places(settings, world);
  const file = "sqlite:";
  const { commands = file, events = file, store = file } = settings.infrastructure;
  return {
    commands: places.transport(commands, "commands"),
    events: places.transport(events, "events"),
    store: places.stores(store, [commands, events].includes(store)),
    dialect: dialectOf(store),
    release: () => places.release(),
  };
}

/** One of each thing for each URL, however many parts of the shop use it. */
class Places {
  readonly #settings: Settings;
  readonly #world: World;
  readonly #databases = new Map<string, Infrastructure>();
  readonly #brokers = new Map<string, Transport>();
  #seat: Seat | undefined;

  constructor(settings: Settings, world: World) {
    this.#settings = settings;
    this.#world = world;
  }

  release(): void {
    this.#seat?.leave();
  }

  transport(url: string, role: "commands" | "events"): Transport {
    if (isDatabase(url)) return this.#database(url)[role];
    const broker = this.#brokers.get(url) ?? this.#broker(url);
    this.#brokers.set(url, broker);
    return broker;
  }

  /** A database that carries messages too keeps everything together, so that what is sent and settled is part of each unit of work. Else each service has a schema. */
  stores(url: string, isShared: boolean): StoreOf {
    if (schemeOf(url) === "mysql") return this.#mysqlStores(url);
    if (!isShared && schemeOf(url) !== "sqlite") {
      const schema = (service: string): string => `shop_${service}`;
      const storesWith = (maxConnections: number): StoreOf => postgresStores({ url, schema, maxConnections, ...this.#own() });
      const [others, gateway] = [storesWith(CONNECTIONS_PER_SERVICE), storesWith(CONNECTIONS_OF_THE_GATEWAY)];
      return (service) => (service === "gateway" ? gateway : others)(service);
    }
    const { store } = this.#database(url);
    if (store === "none") throw new Error("the shop needs stores");
    return store;
  }

  /** All services in one database, each with its own rows and tables. */
  #mysqlStores(url: string): StoreOf {
    const storeOf = mysqlStores({
      url,
      maxConnections: Math.min(MYSQL_CONNECTIONS, CONNECTIONS_PER_SERVICE * this.#settings.services.length),
    });
    return (service) => inMysqlWords(storeOf(service));
  }

  #database(url: string): Infrastructure {
    const known = this.#databases.get(url) ?? this.#open(url);
    this.#databases.set(url, known);
    return known;
  }

  #open(url: string): Infrastructure {
    const { dataFolder } = this.#settings;
    if (schemeOf(url) !== "sqlite") return postgres({ url, schema: SHARED_SCHEMA, leaseMs: LEASE_MS, ...this.#own() });
    const file = url.slice("sqlite:".length) || "shop.db";
    return sqlite(join(dataFolder, file), { leaseMs: LEASE_MS, ...this.#own() });
  }

  #broker(url: string): Transport {
    const own = this.#own();
    if (schemeOf(url) !== "kafka") return rabbitmq({ url, clientName: "shop", heartbeatSeconds: HEARTBEAT_S, revokeMs: REVOKE_MS, ...own });
    const brokers = url.slice("kafka://".length).replace(/\/$/, "").split(",");
    // A process that is killed and started again has its partitions at once: without a name they would wait until the group has missed the one before.
    const { name: instanceId } = (this.#seat ??= takeSeat(this.#settings.dataFolder, this.#settings.services, this.#world.ids));
    return kafka({ brokers, clientId: "shop", instanceId, priority: "fetched", sessionMs: KAFKA_SESSION_MS, revokeMs: REVOKE_MS, ...own });
  }

  #own(): Pick<World, "clock" | "random" | "ids" | "logger"> {
    const { clock, random, ids, logger } = this.#world;
    return { clock, random, ids, logger };
  }
}

const schemeOf = (url: string): string => url.slice(0, url.indexOf(":"));

function dialectOf(url: string): Dialect {
  const scheme = schemeOf(url);
  return scheme === "sqlite" || scheme === "mysql" ? scheme : "postgres";
}

const isDatabase = (url: string): boolean => ["sqlite", "postgres", "postgresql"].includes(schemeOf(url));
