import { Cron } from "croner";
import type { MaybePromise } from "../base/deferred.ts";
import { isPromise } from "../base/deferred.ts";
import { fail, reasonOf } from "../base/errors.ts";
import { derivedId } from "../base/ids.ts";
import type { Envelope, Outgoing } from "../envelope/envelope.ts";
import type { Recurrence, ScheduledMessage } from "../ports/schedule.ts";
import type { StoreTransaction } from "../ports/store.ts";

/**
 * The first slot of a recurrence after `afterMs`, in milliseconds since the epoch.
 *
 * Slots are instants of the zone's wall clock, by croner's rules: a pattern that names hour and minute runs once on every day that it
 * fits: an hour that summer time skips is made up for right behind the gap, one that comes twice counts the first time. Patterns that
 * repeat within the day (a step or `*` in minutes or hours) follow real time through both.
 * @throws PR_CONFIG_INVALID when the pattern or zone is not valid, or never comes
 */
export function nextSlotAt(recurrence: Recurrence, afterMs: number): number {
  const slot = slotAfter(recurrence, afterMs);
  if (slot === undefined)
    throw fail("PR_CONFIG_INVALID", {
      mistakes: `the cron pattern "${recurrence.cron}" never comes after ${new Date(afterMs).toISOString()}`,
    });
  return slot;
}

/** What recurs, before it has a next slot. */
export interface Recurring {
  /** Unique in the service. */
  readonly id: string;
  /** The message of each slot; gets the slot's own id and times. */
  readonly message: Outgoing;
  readonly recurrence: Recurrence;
}

/**
 * Puts what recurs into the schedule. The same id replaces what was there; a slot that was due and has not been sent is kept if the
 * recurrence is the same, so that a program which declares its recurrences at each start loses none.
 * @throws PR_CONFIG_INVALID
 */
export function putRecurring(transaction: StoreTransaction, recurring: Recurring, nowMs: number): MaybePromise<void> {
  const nextAt = nextSlotAt(recurring.recurrence, nowMs);
  const put = (known: ScheduledMessage | undefined): MaybePromise<void> =>
    transaction.schedule.put({
      ...recurring,
      dueAt: known !== undefined && isSame(known.recurrence, recurring.recurrence) ? Math.min(known.dueAt, nextAt) : nextAt,
    });
  const known = transaction.schedule.get(recurring.id);
  return isPromise(known) ? known.then(put) : put(known);
}

/** One slot that is due, and what follows it. */
export interface DueSlot {
  readonly message: Outgoing;
  /** The entry of the next slot; undefined when there is none. */
  readonly next: ScheduledMessage | undefined;
}

/**
 * What a due entry sends now, and when it comes again.
 *
 * Of slots that were missed while nothing ran only the latest is sent: a report that comes three times in a row helps nobody.
 * The message's id is made from service, schedule and slot, so a slot has one id whoever sends it.
 */
export function takeSlot(service: string, entry: ScheduledMessage, nowMs: number): DueSlot {
  const { id, recurrence, dueAt, message } = entry;
  if (recurrence === undefined) return { message, next: undefined };
  const slotAt = Math.max(dueAt, latestSlotUntil(recurrence, nowMs) ?? dueAt);
  const nextAt = slotAfter(recurrence, Math.max(nowMs, slotAt));
  return {
    message: slotMessage(message, derivedId(id, service, new Date(slotAt).toISOString()), nowMs),
    next: nextAt === undefined ? undefined : { ...entry, dueAt: nextAt },
  };
}

function slotMessage(message: Outgoing, id: string, nowMs: number): Outgoing {
  const { traceparent: _parent, tracestate: _state, baggage: _baggage, ...template } = message.envelope; // a trace of its own for each slot
  const { id: templateId, expirytime } = template;
  const own = (name: "correlationid" | "conversationid" | "rootid"): Partial<Envelope> =>
    template[name] === templateId ? { [name]: id } : {};
  const expiry =
    expirytime === undefined ? {} : { expirytime: new Date(nowMs + Date.parse(expirytime) - Date.parse(template.time)).toISOString() };
  const envelope: Envelope = {
    ...template,
    ...own("correlationid"),
    ...own("conversationid"),
    ...own("rootid"),
    ...expiry,
    id,
    time: new Date(nowMs).toISOString(),
  };
  return { ...message, envelope };
}

function isSame(known: Recurrence | undefined, wanted: Recurrence): boolean {
  return known?.cron === wanted.cron && known.timezone === wanted.timezone;
}

function slotAfter(recurrence: Recurrence, afterMs: number): number | undefined {
  return compiled(recurrence).nextRun(new Date(afterMs))?.getTime();
}

function latestSlotUntil(recurrence: Recurrence, nowMs: number): number | undefined {
  // Croner looks strictly before, and in whole seconds.
  return compiled(recurrence)
    .previousRuns(1, new Date((Math.floor(nowMs / 1000) + 1) * 1000))[0]
    ?.getTime();
}

// Making one takes a quarter of a millisecond, and slots are taken while a transaction is open.
const known = new Map<string, Cron>();
const MAX_KNOWN = 200;

function compiled(recurrence: Recurrence): Cron {
  const key = `${recurrence.cron}\u0000${recurrence.timezone}`;
  let cron = known.get(key);
  if (cron === undefined) {
    cron = compile(recurrence);
    if (known.size >= MAX_KNOWN) known.clear();
    known.set(key, cron);
  }
  return cron;
}

function compile({ cron, timezone }: Recurrence): Cron {
  const mistakes: string[] = [];
  let compiled: Cron | undefined;
  try {
    compiled = new Cron(cron, { timezone: "UTC" });
  } catch (error) {
    mistakes.push(`"${cron}" is no cron pattern (${reasonOf(error)})`);
  }
  try {
    // Without one Intl takes the machine's own, and stores would not know the entry again for a recurrence.
    if (typeof timezone !== "string") throw new TypeError("a recurrence names its time zone");
    Intl.DateTimeFormat("en", { timeZone: timezone });
    compiled = compiled && new Cron(cron, { timezone });
  } catch {
    mistakes.push(`"${timezone}" is no IANA time zone, such as Asia/Seoul`);
  }
  if (compiled === undefined || mistakes.length > 0) throw fail("PR_CONFIG_INVALID", { mistakes: mistakes.join("; ") });
  return compiled;
}
