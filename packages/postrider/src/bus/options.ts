import { systemClock } from "../base/clock.ts";
import { uuidv7Ids } from "../base/ids.ts";
import { systemRandom } from "../base/random.ts";
import { jsonLogger } from "../telemetry/json-logger.ts";
import { noTelemetry } from "../telemetry/no-telemetry.ts";
import type { BusOptions } from "./api.ts";
import { checkOptions } from "./check-options.ts";

const DEFAULTS = {
  lanes: 8,
  drainMs: 8000,
  sendDeadlineMs: 60_000,
  maxBodyBytes: 1024 * 1024,
  stuckAfterMs: 30_000,
  startPatienceMs: 60_000,
} as const;

/** What an app runs with, nothing left open. */
export type ResolvedOptions = BusOptions &
  Required<
    Pick<
      BusOptions,
      | "lanes"
      | "drainMs"
      | "sendDeadlineMs"
      | "maxBodyBytes"
      | "stuckAfterMs"
      | "startPatienceMs"
      | "logger"
      | "telemetry"
      | "clock"
      | "random"
      | "ids"
      | "external"
      | "alerts"
      | "run"
    >
  >;

/**
 * Fills in the defaults.
 * @throws PR_CONFIG_INVALID with every mistake
 */
export function resolveOptions(options: BusOptions): ResolvedOptions {
  checkOptions(options);
  const clock = options.clock ?? systemClock;
  return {
    ...DEFAULTS,
    external: [],
    alerts: {},
    telemetry: noTelemetry,
    logger: options.logger ?? jsonLogger({ clock, level: "warn", write: (line) => void process.stderr.write(line) }),
    random: systemRandom,
    ids: uuidv7Ids(clock),
    run: options.services.map(({ name }) => name),
    ...options,
    clock,
  };
}
