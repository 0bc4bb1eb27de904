import { resolve } from "node:path";
import { z } from "zod";

/** The services of the shop, as `SHOP_SERVICES` names them. */
export const SERVICES = [
  "gateway",
  "ordering",
  "payment",
  "inventory",
  "shipping",
  "invoice",
  "notification",
  "analytics",
  "recommendation",
  "member",
  "item",
] as const;

/** One of {@link SERVICES}. */
export type ServiceName = (typeof SERVICES)[number];

/** What the shop runs on: `sqlite:`, `postgres://…`, `amqp://…` and `kafka://host:port,host:port`; as a store also `mysql://…`. */
export interface InfrastructureUrls {
  readonly commands: string | undefined;
  readonly events: string | undefined;
  readonly store: string | undefined;
}

/** How this process runs. */
export interface Settings {
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
  readonly dataFolder: string;
  /** What carries commands, what carries events and where services remember, as URLs; undefined: the SQLite file in the data folder. */
  readonly infrastructure: InfrastructureUrls;
  readonly services: readonly ServiceName[];
  /** Between shipping steps, in milliseconds. */
  readonly stepMs: number;
  /** Where the payment provider is; undefined starts one here. */
  readonly providerUrl: string | undefined;
  /** Share of calls that the local provider makes fail. */
  readonly providerChaos: number;
  /** Where item finds member; undefined: in its own process, if it runs there. */
  readonly memberUrl: string | undefined;
  readonly isDemo: boolean;
  /** Gets each alert as a JSON POST. */
  readonly alertUrl: string | undefined;
}

const Url = z.url({ protocol: /^https?$/ });
/** The URLs themselves may hold secrets, so a mistake names the variable and what it takes. */
const urlOf = (...schemes: readonly string[]): z.ZodOptional<z.ZodString> =>
  z
    .string()
    .regex(new RegExp(`^(${schemes.join("|")}):`), `takes a URL that begins with ${schemes.map((scheme) => `${scheme}:`).join(", ")}`)
    .optional();
const DATABASES = ["sqlite", "postgres", "postgresql"]; // these carry messages too
const BROKERS = ["amqp", "amqps", "kafka"];
const Environment = z.object({
  HOST: z.string().default("127.0.0.1"),
  PORT: z.coerce.number().int().min(0).max(65_535).default(3000),
  SHOP_DATA: z.string().default("data/shop"),
  SHOP_COMMANDS: urlOf(...DATABASES, ...BROKERS),
  SHOP_EVENTS: urlOf(...DATABASES, ...BROKERS),
  SHOP_STORE: urlOf(...DATABASES, "mysql"),
  SHOP_SERVICES: z
    .string()
    .default(SERVICES.join())
    .transform((list) => list.split(",").map((name) => name.trim()))
    .pipe(z.array(z.enum(SERVICES)).min(1)),
  SHOP_STEP_MS: z.coerce.number().int().min(0).default(2_000),
  PAYMENT_PROVIDER_URL: Url.optional(),
  SHOP_PROVIDER_CHAOS: z.coerce.number().min(0).max(1).default(0),
  SHOP_MEMBER_URL: Url.optional(),
  SHOP_DEMO: z.enum(["on", "off"]).default("on"),
  SHOP_ALERT_URL: Url.optional(),
});

/**
 * Reads the environment; what is empty counts as not set.
 * @throws an error that names every mistake
 */
export function settingsOf(environment: Readonly<Record<string, string | undefined>>): Settings {
  const given = Object.fromEntries(Object.entries(environment).filter(([name, value]) => name in Environment.shape && value !== ""));
  const { success, data, error } = Environment.safeParse(given);
  if (!success)
    throw new Error(`The environment is wrong: ${error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; ")}`);
  return {
    host: data.HOST,
    port: data.PORT,
    dataFolder: resolve(data.SHOP_DATA),
    infrastructure: { commands: data.SHOP_COMMANDS, events: data.SHOP_EVENTS, store: data.SHOP_STORE },
    services: [...new Set(data.SHOP_SERVICES)],
    stepMs: data.SHOP_STEP_MS,
    providerUrl: data.PAYMENT_PROVIDER_URL,
    providerChaos: data.SHOP_PROVIDER_CHAOS,
    memberUrl: data.SHOP_MEMBER_URL,
    isDemo: data.SHOP_DEMO === "on",
    alertUrl: data.SHOP_ALERT_URL,
  };
}

/** Whether customers wait at the door while what was ordered is not yet in hand. One SQLite file takes the next order when it has done with those before: there nothing runs ahead. */
export function keepsPace({ infrastructure: { commands } }: Settings): boolean {
  return commands !== undefined && !commands.startsWith("sqlite:");
}
