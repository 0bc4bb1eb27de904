import { fail } from "../base/errors.ts";
import { strangeOptions } from "../base/strange-options.ts";
import type { BackoffOptions } from "../base/backoff.ts";
import { isContract } from "../contracts/contract.ts";
import type { AnyContract, BodyOf, ReplyInputOf, Where } from "../contracts/contract.ts";
import { whereMistakes } from "../contracts/where.ts";
import type { ForeignMapping } from "../envelope/foreign.ts";
import type { HandlerContext } from "./context.ts";

/** What handles a message. What it returns is ignored; what it throws counts as a failure. */
export type Handler<Of extends AnyContract> = (body: BodyOf<Of>, context: HandlerContext<ReplyInputOf<Of>>) => unknown;

/** When a failed message is tried again. */
export interface RetryPolicy {
  /** Runs in place right after a failure. Default 1. */
  readonly immediate: number;
  /** Runs after waiting in the store's schedule. Default 4. */
  readonly delayed: number;
  /** The waits between those. Default 1 s, doubled, at most 1 min, plus up to a fifth. */
  readonly backoff: BackoffOptions;
  /** By the thrown error's `code`: `"never"` gives up at once, `"always"` never does (an outage that will end). */
  readonly byCode: Readonly<Record<string, "never" | "always">>;
}

/** How one handler runs. */
export interface HandlerOptions {
  /** Only bodies that fit: content-based routing. Others are skipped and counted. */
  readonly where?: Where;
  readonly retry?: Partial<RetryPolicy>;
  /** In milliseconds. Default 30 000. 0 = no limit. */
  readonly timeoutMs?: number;
}

/** How a service runs. */
export interface ServiceOptions {
  /** Handlers that run at the same time in one process. Default 100. */
  readonly concurrency?: number;
  /** Handlers started per second in one process. Default no limit. */
  readonly ratePerSecond?: number;
  /** Messages taken and not settled. Default 1000. */
  readonly prefetchCount?: number;
  /** Bytes taken and not settled. Default 16 MiB. */
  readonly prefetchBytes?: number;
  /** For all its handlers, unless they say otherwise. */
  readonly retry?: Partial<RetryPolicy>;
  readonly timeoutMs?: number;
  /** Starts of a message that each time ended the process, before it is dead-lettered: two beside others, then alone. From 3 on; default 4. */
  readonly maxStarts?: number;
  /** Messages parked behind one key before its lane pauses. Default 1000. */
  readonly maxParkedPerKey?: number;
  /** Failures in a row, of any messages, that turn on outage mode. Default 20. 0 = never. */
  readonly outageAfter?: number;
  /** The wait before an outage is probed, in milliseconds; doubles up to 30 s. Default 1000. */
  readonly outageProbeMs?: number;
  /** Where a new subscription to events starts. Default earliest. */
  readonly from?: "earliest" | "latest";
  /** Remember every handled message by id, also where its position already proves that it was handled once. Default false. */
  readonly inboxAlways?: boolean;
  /**
   * Whether several units of work of a backlog may take their turns in one transaction, where the store can do that. All or nothing: where one fails, the others run again, each alone.
   * Default true; false where a handler does outside its unit of work what must not be done again without need, or leaves settings in it.
   */
  readonly sharedTransactions?: boolean;
  /** Destinations that others write to in their own form, by name: how their messages are read. */
  readonly foreign?: Readonly<Record<string, ForeignMapping>>;
}

/** One handler of a service. */
export interface HandlerDefinition {
  readonly contract: AnyContract;
  readonly handler: Handler<AnyContract>;
  readonly options: HandlerOptions;
}

/** A named unit that owns handlers. Made by {@link service}. */
export interface Service {
  readonly name: string;
  readonly handlers: readonly HandlerDefinition[];
  readonly options: ServiceOptions;
}

/** Registers handlers while a service is defined. */
export type On = <Of extends AnyContract>(contract: Of, handler: Handler<Of>, options?: HandlerOptions) => void;

const SERVICE_NAME = /^[a-z][a-z0-9-]{0,62}$/;

/**
 * Defines a service: its name and its handlers. Nothing runs until a bus starts it.
 *
 * One handler per contract and version; two versions of one contract may have a handler each.
 * @throws PR_CONFIG_INVALID with every mistake.
 */
export function service(name: string, define: (on: On) => void, options: ServiceOptions = {}): Service {
  const handlers: HandlerDefinition[] = [];
  const mistakes = [...strangeOptions(`service ${name}`, options, SERVICE_OPTIONS), ...retryMistakes(`retry of ${name}`, options.retry)];
  if (!SERVICE_NAME.test(name)) mistakes.push(`the service name "${name}" must be lower case letters, digits and dashes, at most 63`);
  if (typeof define === "function")
    define((contract, handler, handlerOptions = {}) => {
      mistakes.push(...handlerMistakes(name, handlers, { contract, handler: handler as Handler<AnyContract>, options: handlerOptions }));
      handlers.push({ contract, handler: handler as Handler<AnyContract>, options: handlerOptions });
    });
  else mistakes.push(`${name} is given no handlers: service("${name}", (on) => { on(contract, handler); })`);
  if (mistakes.length > 0) throw fail("PR_CONFIG_INVALID", { mistakes: mistakes.join("; ") });
  return Object.freeze({ name, handlers, options });
}

function handlerMistakes(name: string, others: readonly HandlerDefinition[], { contract, handler, options }: HandlerDefinition): string[] {
  if (!isContract(contract)) return [`${name}: the first thing that \`on\` takes is a contract, made by command() or event()`];
  const where = options?.where === undefined ? [] : whereMistakes(options.where);
  const isTwice = others.some((other) => other.contract.name === contract.name && other.contract.version === contract.version);
  return [
    ...(isTwice ? [`${name} handles ${contract.name} v${contract.version} twice`] : []),
    ...(typeof handler === "function" ? [] : [`${name} is given no handler of ${contract.name}: on(contract, (body, context) => { … })`]),
    ...strangeOptions(`${name}, ${contract.name}`, options, HANDLER_OPTIONS),
    ...retryMistakes(`retry of ${name}, ${contract.name}`, options?.retry),
    ...where.map((mistake) => `${name}, ${contract.name}: ${mistake}`),
  ];
}

function retryMistakes(what: string, retry: HandlerOptions["retry"]): string[] {
  const { immediate = 0, delayed = 0 } = retry ?? {};
  const isCount = (value: number): boolean => (Number.isSafeInteger(value) && value >= 0) || value === Infinity;
  return [
    ...strangeOptions(what, retry, RETRY),
    ...(isCount(immediate) && isCount(delayed) ? [] : [`${what}: immediate and delayed must be whole numbers from 0, or Infinity`]),
  ];
}

const RETRY: Readonly<Record<keyof RetryPolicy, true>> = { immediate: true, delayed: true, backoff: true, byCode: true };

const HANDLER_OPTIONS: Readonly<Record<keyof HandlerOptions, true>> = { where: true, retry: true, timeoutMs: true };

const SERVICE_OPTIONS: Readonly<Record<keyof ServiceOptions, true>> = {
  concurrency: true,
  ratePerSecond: true,
  prefetchCount: true,
  prefetchBytes: true,
  retry: true,
  timeoutMs: true,
  maxStarts: true,
  maxParkedPerKey: true,
  outageAfter: true,
  outageProbeMs: true,
  from: true,
  inboxAlways: true,
  sharedTransactions: true,
  foreign: true,
};
