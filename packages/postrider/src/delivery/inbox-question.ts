import type { Clock } from "../base/clock.ts";
import { bodyHash } from "../inbox/body-hash.ts";
import type { InboxEntry, InboxVerdict } from "../ports/inbox.ts";
import type { Runtime } from "./runtime.ts";
import type { Settlement } from "./settlement.ts";
import type { Work } from "./work.ts";

/** What decides whether the inbox is asked. */
export interface InboxOptions {
  readonly runtime: Runtime;
  readonly settlement: Settlement;
  /** Whether the id must be looked up and remembered, whatever the transport says of the message. */
  readonly inboxAlways: boolean;
}

// An answer that is older is not taken: where a rival has completed the message meanwhile, its handler would run only to be refused.
const MAX_AHEAD_MS = 500;

const ANY_BODY = "adapted"; // an original and its adapted copies share an id and differ in their bodies by right

/** Whether the inbox must know a message. Without one nobody could tell a copy what became of the first. */
export function asksInbox(options: InboxOptions, work: Work): boolean {
  return options.runtime.store !== undefined && mayComeAgain(options, work);
}

/** The message's row, where {@link asksInbox}. */
export function inboxEntryOf(options: InboxOptions, work: Work): InboxEntry | undefined {
  if (work.asked !== undefined) return work.asked.entry;
  return asksInbox(options, work) ? entryOf(work) : undefined;
}

/** Whether a message that waits is worth a question before its turn. */
export function mayAskAhead(options: InboxOptions, work: Work): boolean {
  return options.runtime.store?.inbox.isShared === true && mayComeAgain(options, work);
}

/**
 * Asks the inbox for a message that waits for its turn, so that a backlog is asked for in batches, and nobody waits for the answer.
 *
 * The answer may be old by then; whoever commits writes the message's row, and comes to nothing where a rival was faster.
 */
export function askAhead({ runtime }: InboxOptions, work: Work): void {
  const entry = entryOf(work);
  const verdict = Promise.resolve(runtime.store!.inbox.check(entry)).catch(() => undefined); // it is asked again in its turn
  work.asked = { entry, atMs: runtime.clock.monotonicMs(), verdict };
}

/** What the inbox said ahead of the message's turn, once: who runs again asks anew. Undefined where it must be asked now. */
export function saidAhead(clock: Clock, work: Work): Promise<InboxVerdict | undefined> | undefined {
  const { asked } = work;
  work.asked = undefined;
  return asked !== undefined && clock.monotonicMs() - asked.atMs < MAX_AHEAD_MS ? asked.verdict : undefined;
}

/** Whether the same message may come again under an id that its position does not prove to be new. */
function mayComeAgain({ settlement, inboxAlways }: InboxOptions, work: Work): boolean {
  const { ready, delivery } = work;
  if (delivery === undefined || delivery.mayRepeat || inboxAlways) return true;
  const isForeign = delivery.envelope === undefined; // its producer may write it twice
  return isForeign || ready.inboxId !== ready.envelope.id || !settlement.isInside(work);
}

function entryOf({ ready, found }: Work): InboxEntry {
  return { handler: ready.definition.contract.name, messageId: ready.inboxId, bodyHash: ready.isAdapted ? ANY_BODY : bodyHash(found.body) };
}
