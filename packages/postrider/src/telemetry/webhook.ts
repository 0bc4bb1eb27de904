import type { Clock } from "../base/clock.ts";
import { fail } from "../base/errors.ts";
import type { Logger } from "../ports/logger.ts";
import type { Alert } from "./alert.ts";

/** What a webhook stands on. */
export interface WebhookOptions {
  readonly url: URL;
  readonly clock: Clock;
  readonly logger: Logger;
}

const TRIES = 3;
const TRY_MS = 5000;
const WAIT_MS = 1000; // after the first try; twice that after the second
const MAX_WAITING = 100; // of a flood the newest say as much as all

/**
 * Posts alerts as JSON, one at a time, oldest first.
 *
 * Delivery: at most once for whoever answers; a try without a 2xx answer within 5 s is repeated, three in all. Redirects are not followed:
 * an answer must not choose where alerts go. The URL's path may be a secret, so logs name the host only.
 */
export class Webhook {
  readonly #options: WebhookOptions;
  readonly #waiting: Alert[] = [];
  readonly #closing = new AbortController();
  #running: Promise<void> | undefined;

  constructor(options: WebhookOptions) {
    this.#options = options;
  }

  /** Queues an alert. */
  post(alert: Alert): void {
    if (this.#waiting.push(alert) > MAX_WAITING) {
      const dropped = this.#waiting.shift()!;
      this.#options.logger.warn(
        { alert: dropped.kind, service: dropped.service },
        "too many alerts wait for the webhook; the oldest is dropped",
      );
    }
    this.#pump();
  }

  /** Lets what waits be posted for at most `drainMs`, then gives it up. */
  async close(drainMs: number): Promise<void> {
    const giveUp = this.#options.clock.after(drainMs, () => this.#closing.abort(fail("PR_SHUTDOWN", { during: "an alert" })), {
      keepAlive: true,
    });
    while (this.#running !== undefined) await this.#running;
    giveUp.cancel();
  }

  #pump(): void {
    if (this.#waiting.length === 0 || this.#closing.signal.aborted) return;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      this.#pump(); // for what was queued while the last run was ending
    });
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0 && !this.#closing.signal.aborted) await this.#deliver(this.#waiting.shift()!);
  }

  async #deliver(alert: Alert): Promise<void> {
    const { clock, logger, url } = this.#options;
    for (let tried = 1; ; tried++) {
      try {
        await this.#tryOnce(alert);
        return;
      } catch (error) {
        const isLast = tried === TRIES || this.#closing.signal.aborted;
        if (isLast)
          logger.warn(
            { err: error, host: url.host, alert: alert.kind, service: alert.service, tried },
            "an alert could not be posted to the webhook",
          );
        if (isLast) return;
      }
      // Without jitter: one sender, one at a time.
      await clock.sleep(WAIT_MS * tried, this.#closing.signal).catch(() => undefined);
    }
  }

  async #tryOnce(alert: Alert): Promise<void> {
    const { clock, url } = this.#options;
    const tooLong = new AbortController();
    const timer = clock.after(
      TRY_MS,
      () => tooLong.abort(fail("PR_ABORTED", { during: `a post to ${url.host} that got no answer in ${TRY_MS} ms` })),
      { keepAlive: true },
    );
    try {
      const response = await fetch(url, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(alert),
        redirect: "error",
        signal: AbortSignal.any([tooLong.signal, this.#closing.signal]),
      });
      await response.body?.cancel();
      if (!response.ok)
        throw fail("PR_TRANSPORT_FAILED", { transport: url.host, during: "an alert", detail: `it answered ${response.status}` });
    } finally {
      timer.cancel();
    }
  }
}
