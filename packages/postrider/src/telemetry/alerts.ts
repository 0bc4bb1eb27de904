import type { Clock } from "../base/clock.ts";
import { fail, reasonOf } from "../base/errors.ts";
import type { Logger } from "../ports/logger.ts";
import type { Alert, Alerter, AlertOptions } from "./alert.ts";
import { Webhook } from "./webhook.ts";

/** What {@link alerts} takes. */
export interface AlertsOptions extends AlertOptions {
  readonly clock: Clock;
  readonly logger: Logger;
}

const DEFAULT_QUIET_MS = 60_000;
const MAX_REMEMBERED = 1000;
const DRAIN_MS = 5000;

// The end of a state makes its next beginning news again, and the other way round.
const COUNTERPART: Partial<Record<Alert["kind"], Alert["kind"]>> = {
  outage: "outageOver",
  outageOver: "outage",
  stuck: "stuckOver",
  stuckOver: "stuck",
};

/**
 * Passes alerts on to a callback and a webhook.
 *
 * Delivery: at most once each; the same (kind, service, destination, contract, code) is not repeated within `quietMs`. Order: as raised.
 * Never throws, never waits: a callback that fails and a webhook that does not answer are logged.
 * @throws PR_CONFIG_INVALID when the webhook is no http(s) URL
 */
export function alerts(options: AlertsOptions): Alerter {
  return new QuietAlerter(options);
}

class QuietAlerter implements Alerter {
  readonly #options: AlertsOptions;
  readonly #webhook: Webhook | undefined;
  readonly #quietUntilMs = new Map<string, number>();
  #isClosed = false;

  constructor(options: AlertsOptions) {
    this.#options = options;
    this.#webhook =
      options.webhook === undefined
        ? undefined
        : new Webhook({ url: checkedUrl(options.webhook), clock: options.clock, logger: options.logger });
  }

  raise(alert: Alert): void {
    if (this.#isClosed || this.#isRepeated(alert)) return;
    void this.#tell(alert);
    this.#webhook?.post(alert);
  }

  async close(drainMs: number = DRAIN_MS): Promise<void> {
    this.#isClosed = true;
    await this.#webhook?.close(drainMs);
  }

  #isRepeated(alert: Alert): boolean {
    const nowMs = this.#options.clock.monotonicMs();
    const key = keyOf(alert, alert.kind);
    if (nowMs < (this.#quietUntilMs.get(key) ?? -Infinity)) return true;
    if (this.#quietUntilMs.size >= MAX_REMEMBERED) {
      for (const [old, untilMs] of this.#quietUntilMs) if (untilMs <= nowMs) this.#quietUntilMs.delete(old);
      if (this.#quietUntilMs.size >= MAX_REMEMBERED) this.#quietUntilMs.clear();
    }
    this.#quietUntilMs.set(key, nowMs + (this.#options.quietMs ?? DEFAULT_QUIET_MS));
    const counterpart = COUNTERPART[alert.kind];
    if (counterpart !== undefined) this.#quietUntilMs.delete(keyOf(alert, counterpart));
    return false;
  }

  async #tell(alert: Alert): Promise<void> {
    try {
      await this.#options.onAlert?.(alert);
    } catch (error) {
      this.#options.logger.warn({ err: error, alert: alert.kind, service: alert.service }, "onAlert failed");
    }
  }
}

function keyOf({ service, destination, contract, code }: Alert, kind: Alert["kind"]): string {
  return JSON.stringify([kind, service, destination, contract, code]);
}

function checkedUrl(text: string): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch (cause) {
    throw fail("PR_CONFIG_INVALID", { mistakes: `alerts.webhook is no URL (${reasonOf(cause)})` }, { cause });
  }
  if (url.protocol !== "http:" && url.protocol !== "https:")
    throw fail("PR_CONFIG_INVALID", { mistakes: `alerts.webhook must begin with http:// or https://, not ${url.protocol}` });
  // fetch refuses such URLs, and it would say so only at the first alert.
  if (url.username !== "" || url.password !== "")
    throw fail("PR_CONFIG_INVALID", { mistakes: "alerts.webhook must not carry a user name or password; use a secret path instead" });
  return url;
}
