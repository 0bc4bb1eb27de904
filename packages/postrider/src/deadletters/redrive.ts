import type { MaybePromise } from "../base/deferred.ts";
import { fail } from "../base/errors.ts";
import type { Ids } from "../base/ids.ts";
import { derivedId } from "../base/ids.ts";
import type { Envelope, WireBody, Outgoing } from "../envelope/envelope.ts";
import type { DeadLetter } from "../ports/dead-letters.ts";
import type { HeldMessage } from "../ports/held.ts";
import type { Store, StoreTransaction } from "../ports/store.ts";

/** Writes messages that leave with the commit: into the outbox, or into the log where that is the same database. */
export type EnlistOf = (service: string, transaction: StoreTransaction, batch: readonly Outgoing[]) => MaybePromise<void>;

/** What became of a call to redrive: done now, done before and not yet ended, or no such letter. */
export type RedriveVerdict = "redriven" | "underWay" | "unknown";

/** What a redrive needs besides its store. */
export interface RedriveTools {
  readonly enlist: EnlistOf;
  /** In milliseconds from now. */
  readonly delayMs: number;
}

/** The id under which a letter's redrive is held. Made from the letter's, so that it can be found, and never made twice. */
export function redriveIdOf(letterId: string): string {
  return derivedId(letterId, "redrive");
}

/**
 * Takes a dead letter out of its list and hands it back to its one handler; an unsent one is sent instead.
 *
 * One transaction: it is a dead letter or held, never both, never neither. Failures start at 0; id, lane, key and order stay, and an
 * ordered key stays blocked through the held message. An expired one forgets its expiry: who redrives it wants it to run.
 */
export async function redriveLetter(store: Store, id: string, tools: RedriveTools): Promise<RedriveVerdict> {
  const dueAt = (await store.now()) + tools.delayMs;
  const isRedriven = await store.transaction(async (transaction) => {
    const letter = await takeOut(transaction, id);
    if (letter === undefined) return false;
    const envelope =
      letter.list === "expired" && letter.envelope !== undefined ? without(letter.envelope, ["expirytime"]) : letter.envelope;
    await handBack(transaction, { ...letter, envelope }, tools, dueAt);
    return true;
  });
  if (isRedriven) return "redriven";
  return (await store.held.get(redriveIdOf(id))) === undefined ? "unknown" : "underWay";
}

/** What an edit needs besides its store. */
export interface EditTools {
  readonly enlist: EnlistOf;
  readonly ids: Ids;
  /** Validates and encodes a body for the contract that the envelope names. @throws PR_BODY_INVALID */
  readonly encodeBody: (envelope: Envelope, body: unknown) => MaybePromise<WireBody>;
}

/**
 * Redrives a copy of a letter with another body: a new message id, the same root id. Returns the new id; undefined where the store has no such letter.
 *
 * The copy is handled as a message of its own, so it forgets whose adapted copy it was, and when it expired.
 * @throws PR_DEAD_LETTER_BUSY when it is being redriven, PR_ENVELOPE_UNREADABLE, PR_BODY_INVALID
 */
export async function editLetter(store: Store, id: string, body: unknown, tools: EditTools): Promise<string | undefined> {
  const found = await store.deadLetters.get(id);
  if (found === undefined) return refuseBusy(store, id);
  const { envelope: original, destination } = found;
  if (original === undefined)
    throw fail("PR_ENVELOPE_UNREADABLE", { destination, detail: `the dead letter ${id} has none, so its copy would be nobody's` });
  const wire = await tools.encodeBody(original, body);
  const copy: Envelope = {
    ...without(original, ["adaptedfrom", "adaptedto", "expirytime"]),
    id: tools.ids.next(),
    rootid: original.rootid ?? original.id,
  };
  const dueAt = await store.now();
  const isRedriven = await store.transaction(async (transaction) => {
    const letter = await takeOut(transaction, id);
    if (letter === undefined) return false;
    await handBack(transaction, { ...letter, envelope: copy, body: wire }, { ...tools, delayMs: 0 }, dueAt);
    return true;
  });
  return isRedriven ? copy.id : refuseBusy(store, id);
}

async function takeOut(transaction: StoreTransaction, id: string): Promise<DeadLetter | undefined> {
  const letter = await transaction.deadLetters.get(id);
  return letter !== undefined && (await transaction.deadLetters.remove(id)) ? letter : undefined;
}

async function refuseBusy(store: Store, id: string): Promise<undefined> {
  if ((await store.held.get(redriveIdOf(id))) !== undefined) throw fail("PR_DEAD_LETTER_BUSY", { id });
  return undefined;
}

async function handBack(transaction: StoreTransaction, letter: DeadLetter, tools: RedriveTools, dueAt: number): Promise<void> {
  if (letter.list !== "unsent") return transaction.held.put(heldOf(letter, dueAt));
  // Unsent letters are made from outgoing messages, and those always have an envelope.
  const message: Outgoing = {
    envelope: letter.envelope!,
    headers: letter.headers,
    body: letter.body,
    destination: letter.destination,
    mayRepeat: true,
  };
  if (tools.delayMs > 0) await transaction.schedule.put({ id: redriveIdOf(letter.id), dueAt, message });
  else await tools.enlist(letter.service, transaction, [message]);
}

function heldOf(letter: DeadLetter, dueAt: number): HeldMessage {
  const { destination, lane, key, isOrdered, envelope, headers, body } = letter;
  return {
    id: redriveIdOf(letter.id),
    purpose: "redrive",
    dueAt,
    destination,
    lane,
    key,
    isOrdered,
    envelope,
    headers,
    body,
    failures: 0,
    firstFailedAt: undefined,
    deadLetterId: letter.id,
    redrives: letter.redrives + 1,
  };
}

function without(envelope: Envelope, names: readonly (keyof Envelope)[]): Envelope {
  const rest = Object.entries(envelope).filter(([name]) => !names.includes(name as keyof Envelope));
  return Object.fromEntries(rest) as unknown as Envelope;
}
