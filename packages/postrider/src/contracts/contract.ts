import { fail } from "../base/errors.ts";
import { strangeOptions } from "../base/strange-options.ts";
import type { InputOf, OutputOf, StandardSchema } from "./standard-schema.ts";

/** What a message is for. */
export type ContractKind = "command" | "event";

/** A declarative condition on a body, for content-based routing: field paths and what their values must be. */
export type Where = Readonly<Record<string, string | number | boolean | null | WhereTest>>;

/** A test of one field. All parts given must hold. */
export interface WhereTest {
  readonly in?: readonly (string | number | boolean | null)[];
  readonly gte?: number;
  readonly gt?: number;
  readonly lte?: number;
  readonly lt?: number;
  readonly not?: string | number | boolean | null;
  readonly exists?: boolean;
}

/**
 * A message's name, version, kind, schema and ordering key: data, imported by both sides.
 *
 * Made by {@link command} and {@link event}. `Input` is what a sender gives, `Body` what a handler gets.
 */
export interface Contract<
  Kind extends ContractKind = ContractKind,
  Input = unknown,
  Body = Input,
  ReplyInput = unknown,
  Reply = ReplyInput,
> {
  readonly kind: Kind;
  /** `context.name`, such as `order.placed`: the part before the first dot is the context it belongs to. */
  readonly name: string;
  /** A whole number from 1. */
  readonly version: number;
  readonly schema: StandardSchema<Input, Body>;
  /** The reply's schema; only commands have one. */
  readonly reply: StandardSchema<ReplyInput, Reply> | undefined;
  /** The ordering key of a body: messages of one key are handled one at a time. */
  readonly key: ((body: Body) => string) | undefined;
  /** Whether messages of a key also wait behind one that failed. */
  readonly ordered: boolean;
  /** From version n to n + 1, by n. */
  readonly upcast: Readonly<Record<number, (body: unknown) => unknown>>;
  /** Older versions that are published beside this one: the body of that version, made from this one's. */
  readonly alsoAs: Readonly<Record<number, (body: Body) => unknown>>;
  /** Fields that logs, traces and consoles must not show. */
  readonly sensitive: readonly string[];
  /** Which bodies go first. */
  readonly priority: ((body: Body) => "high" | "normal") | undefined;
  /** How long after its sending a message may still be handled, in milliseconds. */
  readonly expiresAfterMs: number | undefined;
}

/** A command contract. */
export type Command<Input = unknown, Body = Input, ReplyInput = unknown, Reply = ReplyInput> = Contract<
  "command",
  Input,
  Body,
  ReplyInput,
  Reply
>;

/** An event contract. */
export type Event<Input = unknown, Body = Input> = Contract<"event", Input, Body, never, never>;

// Contracts are used covariantly and contravariantly; only `any` lets a list hold all of them.
/** Any contract, for lists. */
export type AnyContract = Contract<ContractKind, any, any, any, any>; // any: see above

/** What a sender of a contract gives. */
export type InputOfContract<Of> =
  Of extends Contract<ContractKind, infer Input, infer _Body, infer _ReplyInput, infer _Reply> ? Input : never;

/** What a handler of a contract gets. */
export type BodyOf<Of> = Of extends Contract<ContractKind, infer _Input, infer Body, infer _ReplyInput, infer _Reply> ? Body : never;

/** What a requester of a contract gets. */
export type ReplyOf<Of> = Of extends Contract<ContractKind, infer _Input, infer _Body, infer _ReplyInput, infer Reply> ? Reply : never;

/** What a handler of a contract replies with. */
export type ReplyInputOf<Of> =
  Of extends Contract<ContractKind, infer _Input, infer _Body, infer ReplyInput, infer _Reply> ? ReplyInput : never;

/** What {@link event} takes. */
export interface EventOptions<Schema extends StandardSchema> {
  /** A whole number from 1. Default 1. */
  readonly version?: number;
  readonly schema: Schema;
  /** The ordering key. Default none: any number at a time, in any order. */
  readonly key?: (body: OutputOf<Schema>) => string;
  /** Also keep the order behind a failure: later messages of the key are parked. Needs `key`. Default false. */
  readonly ordered?: boolean;
  /** Reads what older producers still send: from version n to n + 1, by n. */
  readonly upcast?: Readonly<Record<number, (body: unknown) => unknown>>;
  /** Publishes older versions beside this one, for readers that know only those. Each copy carries `adaptedfrom`. */
  readonly alsoAs?: Readonly<Record<number, (body: OutputOf<Schema>) => unknown>>;
  /** Fields that logs, traces and consoles must not show. */
  readonly sensitive?: readonly string[];
  /** Which bodies go first. Priority may overtake within a key that is waiting, never one that is running. */
  readonly priority?: (body: OutputOf<Schema>) => "high" | "normal";
  /** How long after its sending a message may still be handled, in milliseconds, waiting and retries included. Default for ever. */
  readonly expiresAfterMs?: number;
}

/** What {@link command} takes. */
export interface CommandOptions<Schema extends StandardSchema, ReplySchema extends StandardSchema = never> extends Omit<
  EventOptions<Schema>,
  "alsoAs"
> {
  /** The reply's schema. A handler of such a command must call `reply`. */
  readonly reply?: ReplySchema;
}

/**
 * Declares a command: it asks one owner to do something.
 *
 * Delivery: at least once to exactly one service; effectively once by message id where the service has a store.
 * @throws PR_CONFIG_INVALID when the name, version or options do not fit, with every mistake.
 */
export function command<Schema extends StandardSchema, ReplySchema extends StandardSchema = never>(
  name: string,
  options: CommandOptions<Schema, ReplySchema>,
): Command<InputOf<Schema>, OutputOf<Schema>, InputOf<ReplySchema>, OutputOf<ReplySchema>> {
  return contract("command", name, options as unknown as LooseOptions) as unknown as Command<
    InputOf<Schema>,
    OutputOf<Schema>,
    InputOf<ReplySchema>,
    OutputOf<ReplySchema>
  >;
}

/**
 * Declares an event: it says that something happened. Any number of services subscribe.
 *
 * Delivery: at least once to each subscribing service; effectively once by message id where it has a store.
 * @throws PR_CONFIG_INVALID when the name, version or options do not fit, with every mistake.
 */
export function event<Schema extends StandardSchema>(
  name: string,
  options: EventOptions<Schema>,
): Event<InputOf<Schema>, OutputOf<Schema>> {
  return contract("event", name, options as unknown as LooseOptions) as unknown as Event<InputOf<Schema>, OutputOf<Schema>>;
}

/** Whether something was made by {@link command} or {@link event}, also by another copy of the package. */
export function isContract(thing: unknown): thing is AnyContract {
  return typeof thing === "object" && thing !== null && "kind" in thing && "schema" in thing && "name" in thing;
}

/** The context of a contract's name: `order` of `order.placed`. */
export function contextOf(name: string): string {
  return name.slice(0, name.indexOf("."));
}

/** The longest time after which a message may expire: a hundred years, in milliseconds. */
export const MAX_EXPIRY_MS: number = 100 * 366 * 24 * 3600 * 1000;

const NAME = /^[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)+$/;
const MAX_NAME_LENGTH = 200; // leaves room for suffixes within Kafka's 249 and AMQP's 255 bytes

const VERSION_SUFFIX = /\.v\d+$/; // foreign mappings read it as one

/** Options whose schema is not known here: bodies are `unknown` to what checks them. */
interface LooseOptions extends EventOptions<StandardSchema> {
  readonly reply?: StandardSchema;
}

const EVENT_OPTIONS: Readonly<Record<keyof EventOptions<StandardSchema>, true>> = {
  version: true,
  schema: true,
  key: true,
  ordered: true,
  upcast: true,
  alsoAs: true,
  sensitive: true,
  priority: true,
  expiresAfterMs: true,
};
const KNOWN_OPTIONS: Readonly<Record<ContractKind, Readonly<Record<string, true>>>> = {
  event: EVENT_OPTIONS,
  command: { ...EVENT_OPTIONS, reply: true },
};

function contract(kind: ContractKind, name: string, given: LooseOptions | undefined): AnyContract {
  const options = typeof given === "object" && given !== null ? given : ({} as LooseOptions); // what is missing is among the mistakes
  const version = options.version ?? 1;
  const mistakes = [
    ...nameMistakes(name, version),
    ...strangeOptions(`the ${kind} ${name}`, given, KNOWN_OPTIONS[kind]),
    ...optionMistakes(name, options),
    ...versionMistakes(name, version, options),
  ];
  if (mistakes.length > 0) throw fail("PR_CONFIG_INVALID", { mistakes: mistakes.join("; ") });
  return Object.freeze({
    kind,
    name,
    version,
    schema: options.schema,
    reply: options.reply,
    key: options.key,
    ordered: options.ordered ?? false,
    upcast: Object.freeze({ ...options.upcast }),
    alsoAs: Object.freeze({ ...options.alsoAs }),
    sensitive: Object.freeze([...(options.sensitive ?? [])]),
    priority: options.priority,
    expiresAfterMs: options.expiresAfterMs,
  });
}

function nameMistakes(name: string, version: number): string[] {
  const mistakes: string[] = [];
  if (typeof name !== "string" || !NAME.test(name) || name.length > MAX_NAME_LENGTH)
    mistakes.push(`the name "${name}" must be dotted lower case, like order.placed, and at most ${MAX_NAME_LENGTH} long`);
  if (VERSION_SUFFIX.test(name)) mistakes.push(`the name "${name}" must not end in a version; say \`version\` instead`);
  if (!isVersion(version)) mistakes.push(`the version of ${name} must be a whole number from 1`);
  return mistakes;
}

function optionMistakes(name: string, { schema, reply, ordered, key, expiresAfterMs }: LooseOptions): string[] {
  const mistakes: string[] = [];
  if (!isSchema(schema)) mistakes.push(`the schema of ${name} must be a Standard Schema, such as zod's z.object({ … })`);
  if (reply !== undefined && !isSchema(reply)) mistakes.push(`the reply of ${name} must be a Standard Schema`);
  if (ordered === true && key === undefined) mistakes.push(`${name} is ordered but has no key`);
  if (expiresAfterMs !== undefined && !(expiresAfterMs > 0 && expiresAfterMs <= MAX_EXPIRY_MS))
    mistakes.push(`expiresAfterMs of ${name} must be more than 0 and at most ${MAX_EXPIRY_MS}`);
  return mistakes;
}

function versionMistakes(name: string, version: number, { upcast = {}, alsoAs = {} }: LooseOptions): string[] {
  const mistakes: string[] = [];
  for (const older of Object.keys(upcast)) {
    if (!isVersion(Number(older)) || Number(older) >= version) mistakes.push(`${name} v${version} cannot upcast from v${older}`);
    else if (Number(older) + 1 < version && !Object.hasOwn(upcast, Number(older) + 1))
      mistakes.push(`${name} upcasts from v${older} to v${Number(older) + 1}, but not on to v${version}`);
  }
  for (const older of Object.keys(alsoAs)) {
    if (!isVersion(Number(older)) || Number(older) >= version)
      mistakes.push(`${name} v${version} can also be published only as older versions, not v${older}`);
  }
  return mistakes;
}

function isVersion(version: number): boolean {
  return Number.isSafeInteger(version) && version >= 1;
}

function isSchema(schema: StandardSchema | undefined): boolean {
  return typeof schema?.["~standard"]?.validate === "function";
}
