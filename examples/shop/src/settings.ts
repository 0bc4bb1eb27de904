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

/** How this process runs. */
export interface Settings {
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
  readonly dataFolder: string;
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
const Environment = z.object({
  HOST: z.string().default("127.0.0.1"),
  PORT: z.coerce.number().int().min(0).max(65_535).default(3000),
  SHOP_DATA: z.string().default("data/shop"),
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
    services: [...new Set(data.SHOP_SERVICES)],
    stepMs: data.SHOP_STEP_MS,
    providerUrl: data.PAYMENT_PROVIDER_URL,
    providerChaos: data.SHOP_PROVIDER_CHAOS,
    memberUrl: data.SHOP_MEMBER_URL,
    isDemo: data.SHOP_DEMO === "on",
    alertUrl: data.SHOP_ALERT_URL,
  };
}
