import { createBus, systemClock } from "postrider";
import type { Bus, Clock, Infrastructure, Logger } from "postrider";
import type { Store } from "../../../packages/postrider/src/ports/store.ts";
import { crashPoints } from "./crash-points.ts";
import type { CrashPoints } from "./crash-points.ts";
import { crashFiles, outsideFile } from "./infrastructure.ts";
import type { Layout } from "./infrastructure.ts";
import { instrument } from "./instrument.ts";
import type { Say, TookLine } from "./lines.ts";
import { crashServices, TABLES } from "./services.ts";

/** How a crash system is opened. */
export interface SystemConfig {
  /** Of the process, unique among all of a run. */
  readonly name: string;
  readonly folder: string;
  readonly layout: Layout;
  readonly leaseMs: number;
  /** How far its clock is ahead, in milliseconds: whoever comes after a crash finds every lease and claim over, without waiting. */
  readonly aheadMs?: number;
  readonly maxStarts?: number;
  /** Says each message that is handed over. */
  readonly saysLogs?: boolean;
  readonly saysBegun?: boolean;
  /** Logs nothing. */
  readonly isQuiet?: boolean;
  /** The services that run. Default all. */
  readonly run?: readonly string[];
}

/** The crash system as one process has it. */
export interface CrashSystem {
  readonly bus: Bus;
  /** As the bus has them. */
  readonly stores: readonly Store[];
  readonly infrastructure: Infrastructure;
  readonly points: CrashPoints;
  /** Starts the bus and makes the system's own tables. */
  start(): Promise<void>;
}

const SEND_DEADLINE_MS = 10_000;
const QUIET: Logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/** Makes a crash system; nothing runs before its start. `environment` says where it crashes. */
export function crashSystem(config: SystemConfig, say: Say, environment: NodeJS.ProcessEnv): CrashSystem {
  const points = crashPoints(environment);
  const stores: Store[] = [];
  const clock: Clock = { ...systemClock, now: () => systemClock.now() + (config.aheadMs ?? 0) };
  const infrastructure = infrastructureOf(config, { points, stores, clock, say });
  const onBegun = config.saysBegun === true ? say : undefined;
  const bus = createBus({
    services: crashServices({ outside: outsideFile(config.folder), onBegun, ...optional("maxStarts", config.maxStarts) }),
    ...infrastructure,
    clock,
    sendDeadlineMs: SEND_DEADLINE_MS,
    ...optional("logger", config.isQuiet === true ? QUIET : undefined),
    ...optional("run", config.run),
  });
  const start = async (): Promise<void> => {
    await bus.start();
    await bus.as("front").transaction(async ({ tx }) => {
      for (const table of TABLES) await tx.run(table);
    });
  };
  return { bus, stores, infrastructure, points, start };
}

interface Wiring {
  readonly points: CrashPoints;
  /** Filled with each store that the bus makes. */
  readonly stores: Store[];
  readonly clock: Clock;
  readonly say: Say;
}

function infrastructureOf(config: SystemConfig, { points, stores, clock, say }: Wiring): Infrastructure {
  const files = crashFiles(config.layout, config.folder, { leaseMs: config.leaseMs, clock });
  const onTook = config.saysLogs === true ? (took: TookLine): void => say({ says: "took", ...took }) : undefined;
  const wrapped = instrument(files, { points, worker: config.name, onTook });
  const { store } = wrapped;
  if (store === "none") return wrapped;
  return {
    ...wrapped,
    store: (service) => {
      const made = store(service);
      stores.push(made);
      return made;
    },
  };
}

function optional<Name extends string, Value>(name: Name, value: Value | undefined): { readonly [_ in Name]?: Value } {
  return (value === undefined ? {} : { [name]: value }) as { readonly [_ in Name]?: Value };
}
