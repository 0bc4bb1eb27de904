import type { Clock } from "../../base/clock.ts";
import type { ReadMessage, ReadRange } from "../../ports/transport.ts";
import { appendHolders, lastGivenOut } from "./log-feed.ts";
import { Gap } from "./log-gap.ts";
import { readPage } from "./log-pages.ts";
import type { LogPlace } from "./log-place.ts";

const PAGE_ROWS = 200;
const PAGE_BYTES = 4 * 1024 * 1024;

// Times are taken at the beginning of an append, positions at its end: between two that overlap they may disagree by its duration.
const TIME_MARGIN_MS = 5000;

// Who is about to commit is waited for, so that nothing of before the call is missing; but not for ever.
const STABLE_POLL_MS = 5;
const STABLE_LIMIT_MS = 5000;

/** Reads a destination's log from a position on. Ends at `to`, or at what was sent before the call. */
export async function* readLog(log: LogPlace, destination: number, range: ReadRange, clock: Clock): AsyncIterable<ReadMessage> {
  const last = await stableEnd(log, destination, clock);
  const to = Math.min(range.to?.position ?? last, last);
  const since = typeof range.from === "object" && "time" in range.from ? Date.parse(range.from.time) : -Infinity;
  let after = (await startOf(log, destination, range, last)) - 1;
  while (after < to) {
    const found = await readPage(log, { destination, after, to, maxRows: PAGE_ROWS, maxBytes: PAGE_BYTES });
    if (found.length === 0) return;
    for (const { position, lane, storedAt, envelope, headers, body } of found) {
      after = position;
      if (storedAt >= since) yield { position, lane, storedAt: new Date(storedAt).toISOString(), envelope, headers, body };
    }
  }
}

/** The last position that was given out, once everything up to it is committed or never comes. */
async function stableEnd(log: LogPlace, destination: number, clock: Clock): Promise<number> {
  const gap = new Gap(await lastGivenOut(log, destination));
  const startedMs = clock.monotonicMs();
  for (;;) {
    gap.observe(await appendHolders(log, destination));
    if (gap.isClosed || clock.monotonicMs() - startedMs > STABLE_LIMIT_MS) return gap.upTo;
    await clock.sleep(STABLE_POLL_MS);
  }
}

/** The first position that is wanted. */
async function startOf(log: LogPlace, destination: number, { from }: ReadRange, last: number): Promise<number> {
  if (from === "earliest") return 0;
  if (from === "latest") return last + 1;
  if ("position" in from) return from.position;
  return firstSince(log, destination, Date.parse(from.time) - TIME_MARGIN_MS, last);
}

/** Times grow with positions, but for the margin, so the first row of a time is found by halving. */
async function firstSince(log: LogPlace, destination: number, time: number, last: number): Promise<number> {
  const text = `select position, stored_at as "storedAt" from ${log.schema}.pr_log where destination = $1 and position >= $2 order by position limit 1`;
  let [low, high] = [0, last + 1];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const [row] = (await log.run("since", text, [destination, middle])).rows;
    if (row === undefined || Number(row["storedAt"]) >= time) high = middle;
    else low = Number(row["position"]) + 1;
  }
  return low;
}
