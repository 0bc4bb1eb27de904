import { fail } from "../base/errors.ts";
import { strangeOptions } from "../base/strange-options.ts";
import { whereMistakes } from "../contracts/where.ts";
import type { Service } from "../pipeline/service.ts";
import type { Transport } from "../ports/transport.ts";
import type { BusOptions } from "./api.ts";

/**
 * Looks an app's options over, all at once.
 * @throws PR_CONFIG_INVALID with every mistake
 */
export function checkOptions(options: BusOptions): void {
  const mistakes = [...nodeMistakes(process.versions.node), ...shapeMistakes(options)];
  if (mistakes.length === 0) mistakes.push(...valueMistakes(options));
  if (mistakes.length > 0) throw fail("PR_CONFIG_INVALID", { mistakes: mistakes.join("; ") });
}

const LEAST_NODE_MAJOR = 22;

/** Whether the runtime is too old to run at all; what a release needs exactly is in its `engines`. */
export function nodeMistakes(version: string): string[] {
  const isOld = Number(version.split(".")[0]) < LEAST_NODE_MAJOR;
  return isOld ? [`Postrider runs on Node 22.22 and newer, and this is ${version}`] : [];
}

/** What JavaScript lets through. */
function shapeMistakes(options: BusOptions): string[] {
  const { services, commands, events, store } = options ?? {};
  const isTransport = (thing: unknown): boolean => typeof (thing as Transport | undefined)?.consume === "function";
  return [
    ...strangeOptions("createBus", options ?? null, BUS_OPTIONS),
    ...(Array.isArray(services) ? [] : ["services must be a list, of what service() makes"]),
    ...(isTransport(commands) && isTransport(events) && (typeof store === "function" || store === "none")
      ? []
      : [
          'there is nothing to run on: spread a preset, like createBus({ services, ...sqlite("shop.db") }), or give commands, events and store',
        ]),
  ];
}

function valueMistakes(options: BusOptions): string[] {
  const names = options.services.map(({ name }) => name);
  return [
    ...(names.length === 0 ? ["there are no services"] : []),
    ...[...new Set(names.filter((name, at) => names.indexOf(name) !== at))].map((name) => `two services are named ${name}`),
    ...(options.run ?? [])
      .filter((name) => !names.includes(name))
      .map((name) => `run names ${name}, which is no service (known: ${names.join(", ")})`),
    ...outOfRange("lanes", options.lanes, 1, 256),
    ...outOfRange("drainMs", options.drainMs, 0, MAX_MS),
    ...outOfRange("sendDeadlineMs", options.sendDeadlineMs, 1, MAX_MS),
    ...outOfRange("maxBodyBytes", options.maxBodyBytes, 1, MAX_BODY_BYTES),
    ...outOfRange("stuckAfterMs", options.stuckAfterMs, 1, MAX_MS),
    ...outOfRange("startPatienceMs", options.startPatienceMs, 0, MAX_MS),
    ...options.services.flatMap(serviceMistakes),
  ];
}

const BUS_OPTIONS: Readonly<Record<keyof BusOptions, true>> = {
  services: true,
  commands: true,
  events: true,
  store: true,
  run: true,
  external: true,
  plain: true,
  lanes: true,
  drainMs: true,
  sendDeadlineMs: true,
  startPatienceMs: true,
  maxBodyBytes: true,
  stuckAfterMs: true,
  retention: true,
  alerts: true,
  logger: true,
  telemetry: true,
  clock: true,
  random: true,
  ids: true,
};

const MAX_MS = 2 ** 31 - 1; // the longest timer
const MAX_BODY_BYTES = 512 * 1024 * 1024; // the longest string of V8, about

function serviceMistakes({ name, handlers, options }: Service): string[] {
  return [
    ...outOfRange(`${name}.concurrency`, options.concurrency, 1, 100_000),
    ...outOfRange(`${name}.ratePerSecond`, options.ratePerSecond, 0.001, 1_000_000),
    ...outOfRange(`${name}.prefetchCount`, options.prefetchCount, 1, 1_000_000),
    ...outOfRange(`${name}.prefetchBytes`, options.prefetchBytes, 1, Number.MAX_SAFE_INTEGER),
    ...outOfRange(`${name}.timeoutMs`, options.timeoutMs, 0, MAX_MS),
    ...outOfRange(`${name}.maxStarts`, options.maxStarts, 3, 1000),
    ...outOfRange(`${name}.maxParkedPerKey`, options.maxParkedPerKey, 1, 1_000_000),
    ...outOfRange(`${name}.outageAfter`, options.outageAfter, 0, 1_000_000),
    ...outOfRange(`${name}.outageProbeMs`, options.outageProbeMs, 1, MAX_MS),
    ...handlers.flatMap((handler) => [
      ...(handler.options.where === undefined
        ? []
        : whereMistakes(handler.options.where).map((mistake) => `${name}, where of ${handler.contract.name}: ${mistake}`)),
      ...outOfRange(`${name}, timeoutMs of ${handler.contract.name}`, handler.options.timeoutMs, 0, MAX_MS),
    ]),
  ];
}

function outOfRange(what: string, value: number | undefined, from: number, to: number): string[] {
  return value === undefined || (Number.isFinite(value) && value >= from && value <= to)
    ? []
    : [`${what} must be a number from ${from} to ${to}`];
}
