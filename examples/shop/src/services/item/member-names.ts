import {
  circuitBreaker,
  ConsecutiveBreaker,
  ExponentialBackoff,
  fallback,
  handleAll,
  retry,
  timeout,
  TimeoutStrategy,
  wrap,
} from "cockatiel";
import { z } from "zod";

/** Asks the member service for a name; null when it does not answer, or knows no such member. */
export type AskMemberName = (memberId: string, signal: AbortSignal) => Promise<string | null>;

const Answer = z.object({ name: z.string() });
const LIMITS = { eachMs: 500, retries: 2, firstWaitMs: 50, failuresToOpen: 5, openMs: 5_000 };

/** Asks over HTTP, guarded: each try is limited in time, repeated twice, and not made at all for a while after many failures. */
export function askMemberOverHttp(baseUrl: () => string | undefined): AskMemberName {
  const guarded = wrap(
    fallback(handleAll, null),
    retry(handleAll, { maxAttempts: LIMITS.retries, backoff: new ExponentialBackoff({ initialDelay: LIMITS.firstWaitMs }) }),
    circuitBreaker(handleAll, { halfOpenAfter: LIMITS.openMs, breaker: new ConsecutiveBreaker(LIMITS.failuresToOpen) }),
    timeout(LIMITS.eachMs, TimeoutStrategy.Aggressive),
  );
  return (memberId, signal) => {
    const url = baseUrl();
    if (url === undefined) return Promise.resolve(null);
    return guarded.execute((context) => ask(new URL(`/internal/members/${encodeURIComponent(memberId)}`, url), context.signal), signal);
  };
}

async function ask(url: URL, signal: AbortSignal): Promise<string | null> {
  const response = await fetch(url, { signal, redirect: "error" });
  if (response.status === 404) {
    await response.body?.cancel();
    return null; // an answer, not a failure
  }
  if (!response.ok) throw new Error(`the member service answered ${response.status}`);
  return Answer.parse(await response.json()).name;
}
