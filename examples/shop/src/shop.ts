import { mkdirSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { FastifyInstance } from "fastify";
import { createBus, isPostriderError } from "postrider";
import type { Bus, Clock } from "postrider";
import { startDemo } from "./demo.ts";
import type { Demo } from "./demo.ts";
import { catalogueRoutes, memberRoutes } from "./http/catalogue.ts";
import { internalMemberRoutes } from "./http/internal.ts";
import { deadLetterRoutes, healthRoutes } from "./http/operations.ts";
import { orderRoutes } from "./http/orders.ts";
import { pageRoutes } from "./http/pages.ts";
import { queryRoutes } from "./http/queries.ts";
import { httpServer } from "./http/server.ts";
import { infrastructureOf } from "./infrastructure.ts";
import type { ShopInfrastructure } from "./infrastructure.ts";
import { streamRoutes } from "./http/streams.ts";
import { migrate } from "./part.ts";
import type { Part } from "./part.ts";
import { partsOf } from "./parts.ts";
import { startLocalProvider } from "./provider/provider.ts";
import type { LocalProvider } from "./provider/provider.ts";
import { HistoryTail } from "./services/gateway/history-tail.ts";
import { keepsPace } from "./settings.ts";
import type { ServiceName, Settings } from "./settings.ts";
import type { World } from "./world.ts";

/** A shop, or the part of it that this process runs. */
export interface Shop {
  /** Where it listens. */
  readonly url: string;
  /** Goes red, lets requests under way end, drains the bus. May be called twice; `force` waits no longer. */
  stop(options?: { readonly force?: boolean }): Promise<void>;
}

const NOWHERE = "http://127.0.0.1:9"; // the discard port: a process without payment knows its handlers, and never runs them
const HTTP_GRACE_MS = 1_500;
const DATABASE_PATIENCE_MS = 60_000;
const DATABASE_RETRY_MS = 500;
const DRAIN_MS = 6_000; // with the grace above it leaves a second and more of the ten that a stop may take

/** Starts what `settings` name: tables first, then the bus, then the doors. */
export async function startShop(settings: Settings, world: World): Promise<Shop> {
  mkdirSync(settings.dataFolder, { recursive: true });
  const runs = (name: ServiceName): boolean => settings.services.includes(name);
  const provider = runs("payment") && settings.providerUrl === undefined ? await localProvider(settings, world) : undefined;
  const late: { url?: string } = {}; // known once the doors are open
  const tail = new HistoryTail(
    () => bus.as("gateway").read,
    world.clock,
    (error) => world.logger.warn({ err: error }, "the history could not be read"),
  );
  const parts = partsOf({
    stepMs: settings.stepMs,
    providerUrl: settings.providerUrl ?? provider?.url ?? NOWHERE,
    memberUrl: () => settings.memberUrl ?? (runs("member") ? late.url : undefined),
    onHistory: () => tail.poke(),
    bus: () => bus,
  });
  const running = settings.services.flatMap((name) => parts[name]);
  const infrastructure = infrastructureOf(settings, world);
  const bus = await startBus(settings, world, infrastructure, { all: Object.values(parts).flat(), running });
  const app = httpServer(world);
  const shop = new RunningShop(app, bus, { provider, infrastructure }, world.clock);
  healthRoutes(app, bus, () => shop.isStopping);
  if (runs("member")) internalMemberRoutes(app, bus.as("member").read);
  if (runs("gateway")) gatewayRoutes(app, bus, tail, world, keepsPace(settings));
  late.url = await shop.open(settings);
  if (settings.isDemo && runs("gateway")) shop.attach(startDemo(late.url, world));
  return shop;
}

/** What bus and doors stand on. */
interface Below {
  readonly provider: LocalProvider | undefined;
  readonly infrastructure: ShopInfrastructure;
}

/** The parts of a process that a stop takes down, from the outside in. */
class RunningShop implements Shop {
  readonly #app: FastifyInstance;
  readonly #bus: Bus;
  readonly #below: Below;
  readonly #clock: Clock;
  #demo: Demo | undefined;
  #stopping: Promise<void> | undefined;
  #url = "";

  constructor(app: FastifyInstance, bus: Bus, below: Below, clock: Clock) {
    this.#app = app;
    this.#bus = bus;
    this.#below = below;
    this.#clock = clock;
  }

  get url(): string {
    return this.#url;
  }

  get isStopping(): boolean {
    return this.#stopping !== undefined;
  }

  async open({ host, port }: Settings): Promise<string> {
    try {
      await this.#app.listen({ host, port });
    } catch (error) {
      await this.stop(); // what runs already ends as it should, although nobody can come in
      throw error;
    }
    this.#url = urlOf(this.#app, host);
    return this.#url;
  }

  attach(demo: Demo): void {
    this.#demo = demo;
  }

  stop({ force = false }: { readonly force?: boolean } = {}): Promise<void> {
    this.#stopping ??= this.#stop();
    if (!force) return this.#stopping;
    this.#app.server.closeAllConnections();
    return this.#bus.stop({ force });
  }

  async #stop(): Promise<void> {
    await this.#demo?.stop();
    // Requests under way end, for a while; idle connections and event streams close at once.
    const late = this.#clock.after(HTTP_GRACE_MS, () => this.#app.server.closeAllConnections());
    await this.#app.close();
    late.cancel();
    await this.#bus.stop();
    await this.#below.provider?.stop();
    this.#below.infrastructure.release();
  }
}

function localProvider({ dataFolder, providerChaos }: Settings, { ids, random }: World): Promise<LocalProvider> {
  return startLocalProvider({ file: join(dataFolder, "provider.db"), ids, random, chaos: providerChaos });
}

/** Every part is known to every process; some run here. */
interface Parts {
  readonly all: readonly Part[];
  readonly running: readonly Part[];
}

async function startBus({ alertUrl }: Settings, world: World, infrastructure: ShopInfrastructure, { all, running }: Parts): Promise<Bus> {
  const { clock, random, ids, logger } = world;
  const { store, dialect, commands, events } = infrastructure;
  const stores = new Map(all.map(({ service: { name } }) => [name, store(name)]));
  const bus = createBus({
    commands,
    events,
    store: (name) => stores.get(name)!,
    services: all.map((part) => part.service),
    run: running.map((part) => part.service.name),
    drainMs: DRAIN_MS,
    alerts: {
      onAlert: (alert) => logger.warn({ alert }, alert.text),
      ...(alertUrl === undefined ? {} : { webhook: alertUrl }),
    },
    clock,
    random,
    ids,
    logger,
  });
  for (const part of running) {
    const own = stores.get(part.service.name)!;
    await patiently(world, async () => {
      await own.open();
      await migrate(part, own, dialect);
    });
  }
  await bus.start();
  return bus;
}

/** Waits for a database that is not up yet, as `bus.start` does. */
async function patiently({ clock, logger }: World, work: () => Promise<void>): Promise<void> {
  let isTold = false;
  for (const untilMs = clock.monotonicMs() + DATABASE_PATIENCE_MS; ;) {
    try {
      return await work();
    } catch (error) {
      if (!isPostriderError(error) || !error.retryable || clock.monotonicMs() >= untilMs) throw error;
      if (!isTold) logger.warn({ err: error }, "the database does not open yet; it is tried again and again");
      isTold = true;
    }
    await clock.sleep(DATABASE_RETRY_MS);
  }
}

function gatewayRoutes(app: FastifyInstance, bus: Bus, tail: HistoryTail, { clock, ids, logger }: World, isPaced: boolean): void {
  const sender = bus.as("gateway");
  orderRoutes(app, { sender, clock, ids, logger, keepsPace: isPaced });
  streamRoutes(app, { tail, clock, read: sender.read, logger });
  catalogueRoutes(app, { sender, ids });
  memberRoutes(app, { sender, ids });
  queryRoutes(app, sender.read);
  deadLetterRoutes(app, bus.operations);
  pageRoutes(app);
}

function urlOf(app: FastifyInstance, host: string): string {
  const { port } = app.server.address() as AddressInfo;
  const shown = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
  return `http://${shown.includes(":") ? `[${shown}]` : shown}:${port}`;
}
