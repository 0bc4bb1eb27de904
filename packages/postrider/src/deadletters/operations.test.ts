import { expect, test } from "vitest";
import { memoryWorld } from "../adapters/memory/world.ts";
import { fail } from "../base/errors.ts";
import { uuidv7Ids } from "../base/ids.ts";
import { VirtualClock } from "../base/virtual-clock.ts";
import { NO_HEADERS } from "../envelope/envelope.ts";
import type { Envelope } from "../envelope/envelope.ts";
import type { DeadLetter } from "../ports/dead-letters.ts";
import type { HeldMessage } from "../ports/held.ts";
import type { Store } from "../ports/store.ts";
import { deadLetterOf, unsentLetters } from "./letter.ts";
import type { GivenUp } from "./letter.ts";
import { letterOperations } from "./operations.ts";
import { redriveIdOf } from "./redrive.ts";

function shop() {
  const clock = new VirtualClock();
  const ids = uuidv7Ids(clock);
  const world = memoryWorld({ clock });
  const stores = new Map(["ordering", "payment"].map((name) => [name, world.store(name)] as const));
  const due: string[] = [];
  const operations = letterOperations({
    stores,
    clock,
    ids,
    encodeBody: (envelope, body) => {
      if (body === "refused") throw fail("PR_BODY_INVALID", { contract: envelope.type, version: 1, issues: "no" });
      return JSON.stringify(body);
    },
    enlist: (_service, transaction, batch) => transaction.outbox.append(batch),
    onDue: (service) => void due.push(service),
  });
  const payment = stores.get("payment")!;
  const giveUp = async (change: Partial<GivenUp> = {}, store: Store = payment): Promise<DeadLetter> => {
    await clock.advance(1);
    const letter = deadLetterOf({ ...lost(ids.next(), store.service, clock.now()), ...change });
    await store.transaction((transaction) => transaction.deadLetters.add(letter));
    return letter;
  };
  return { clock, ids, operations, payment, ordering: stores.get("ordering")!, due, giveUp };
}

const envelopeOf = (id: string): Envelope => ({
  id,
  source: "/ordering",
  type: "payment.charge",
  kind: "command",
  contractversion: 1,
  time: "2026-01-01T00:00:00.000Z",
  partitionkey: "o-1",
});

function lost(id: string, service: string, at: number): GivenUp {
  return {
    id,
    service,
    list: "failed",
    found: { envelope: envelopeOf(`message of ${id}`), headers: { "x-shop": "1" }, body: '{"amount":5}' },
    destination: "payment.commands",
    lane: 3,
    key: "o-1",
    isOrdered: true,
    failure: { code: "DECLINED", reason: "the card was declined", stack: undefined },
    attempts: 6,
    at,
    redrives: 0,
  };
}

const parked = (id: string, message: string): HeldMessage => ({
  id,
  purpose: "parked",
  dueAt: undefined,
  destination: "payment.commands",
  lane: 3,
  key: "o-1",
  isOrdered: true,
  envelope: envelopeOf(message),
  headers: NO_HEADERS,
  body: "{}",
  failures: 0,
  firstFailedAt: undefined,
  deadLetterId: undefined,
  redrives: 0,
});

test("a redrive hands the message back to its one handler: same id, lane, key and order, failures at 0, and its key stays blocked", async () => {
  const { operations, payment, ordering, giveUp, clock, due } = shop();
  const letter = await giveUp();
  await operations.redrive(letter.id, { delayMs: 500 });
  const [held] = await payment.held.list({ limit: 10 });
  const { envelope, headers, body, destination, lane, key, isOrdered } = letter;
  expect(held).toMatchObject({
    purpose: "redrive",
    dueAt: clock.now() + 500,
    failures: 0,
    redrives: 1,
    deadLetterId: letter.id,
    envelope,
    headers,
    body,
    destination,
    lane,
    key,
    isOrdered,
  });
  expect(await payment.deadLetters.get(letter.id)).toBeUndefined();
  expect(await payment.held.blockedKeys("payment.commands", undefined)).toEqual(["o-1"]);
  expect(await ordering.held.list({ limit: 10 })).toEqual([]);
  expect(due).toEqual(["payment"]);
});

test("two operators who redrive one letter at once redrive it once; an unknown letter is told apart", async () => {
  const { operations, payment, giveUp } = shop();
  const letter = await giveUp();
  await Promise.all([operations.redrive(letter.id), operations.redrive(letter.id)]);
  await operations.redrive(letter.id);
  expect(await payment.held.list({ limit: 10 })).toHaveLength(1);
  await expect(operations.redrive("nobody's")).rejects.toMatchObject({ code: "PR_DEAD_LETTER_UNKNOWN" });
  await expect(operations.deadLetter(letter.id)).rejects.toMatchObject({ code: "PR_DEAD_LETTER_UNKNOWN" });
});

test("a message that fails again is a letter of its own, which counts its redrives and can be redriven again", async () => {
  const { operations, payment, giveUp } = shop();
  let letter = await giveUp();
  for (const redrives of [1, 2, 3]) {
    await operations.redrive(letter.id);
    const [held] = await payment.held.claimDue({ destination: "payment.commands", lanes: undefined, limit: 1, leaseMs: 1000 });
    await payment.transaction((transaction) => transaction.held.complete(held!));
    letter = await giveUp({ found: held!, redrives: held!.redrives, deadLetterId: held!.deadLetterId });
    expect(letter).toMatchObject({ redrives, messageId: expect.stringContaining("message of ") });
  }
});

test("an expired letter forgets its expiry when it is redriven, a failed one keeps it", async () => {
  const { operations, payment, giveUp } = shop();
  const found = { envelope: { ...envelopeOf("m-1"), expirytime: "2026-01-01T00:00:05.000Z" }, headers: NO_HEADERS, body: "{}" };
  const [expired, failed] = [await giveUp({ list: "expired", found }), await giveUp({ found })];
  for (const { id } of [expired, failed]) await operations.redrive(id);
  expect((await payment.held.get(redriveIdOf(expired.id)))!.envelope).not.toHaveProperty("expirytime");
  expect((await payment.held.get(redriveIdOf(failed.id)))!.envelope).toEqual(found.envelope);
});

test("an unsent letter is sent, not handled here; with a delay it is scheduled", async () => {
  const { operations, payment, ids, clock } = shop();
  const message = { envelope: envelopeOf("m-1"), headers: NO_HEADERS, body: "{}", destination: "mailing.commands", mayRepeat: false };
  const letterOf = unsentLetters("payment", ids);
  for (const delayMs of [0, 700]) {
    const letter = letterOf({
      message,
      failure: { code: "PR_BODY_TOO_LARGE", reason: "too large", stack: undefined },
      attempts: 1,
      at: clock.now(),
    });
    await payment.transaction((transaction) => transaction.deadLetters.add(letter));
    await operations.redrive(letter.id, { delayMs });
  }
  const rows = await payment.outbox.claim({ kind: "command", limit: 10, owner: "test", leaseMs: 1000 });
  expect(rows.map((row) => row.message)).toEqual([{ ...message, mayRepeat: true }]);
  expect(await operations.scheduled()).toMatchObject([
    { service: "payment", dueAt: clock.now() + 700, message: { destination: "mailing.commands" } },
  ]);
  expect(await payment.held.list({ limit: 10 })).toEqual([]);
});

test("an edited copy has a new id, the same root id and the new body; the original is gone and cannot be edited again", async () => {
  const { operations, payment, giveUp } = shop();
  const original = await giveUp({
    found: { envelope: { ...envelopeOf("m-1"), adaptedfrom: "m-0", causationid: "c-1" }, headers: NO_HEADERS, body: '{"amount":-5}' },
  });
  const { id } = await operations.edit(original.id, { amount: 5 });
  const [held] = await payment.held.list({ limit: 10 });
  const { adaptedfrom: _, ...kept } = original.envelope!;
  expect(held).toMatchObject({
    purpose: "redrive",
    body: '{"amount":5}',
    envelope: { ...kept, id, rootid: "m-1" },
    deadLetterId: original.id,
  });
  expect(held!.envelope).not.toHaveProperty("adaptedfrom");
  expect(id).not.toBe("m-1");
  await expect(operations.edit(original.id, { amount: 6 })).rejects.toMatchObject({ code: "PR_DEAD_LETTER_BUSY" });
  await expect(operations.edit("nobody's", {})).rejects.toMatchObject({ code: "PR_DEAD_LETTER_UNKNOWN" });
});

test("a copy of an edited copy keeps the first root id; a refused body changes nothing; what has no envelope cannot be copied", async () => {
  const { operations, payment, giveUp } = shop();
  const copy = await giveUp({ found: { envelope: { ...envelopeOf("m-2"), rootid: "m-1" }, headers: NO_HEADERS, body: "{}" } });
  await expect(operations.edit(copy.id, "refused")).rejects.toMatchObject({ code: "PR_BODY_INVALID" });
  expect(await operations.deadLetter(copy.id)).toEqual(copy);
  await operations.edit(copy.id, {});
  expect((await payment.held.list({ limit: 1 }))[0]!.envelope).toMatchObject({ rootid: "m-1" });
  const foreign = await giveUp({ found: { envelope: undefined, headers: NO_HEADERS, body: new Uint8Array([255]) } });
  expect(foreign).toMatchObject({ contract: "", messageId: foreign.id });
  await expect(operations.edit(foreign.id, {})).rejects.toMatchObject({ code: "PR_ENVELOPE_UNREADABLE" });
});

test("a purge deletes what fits, over all services unless one is named, and lets the oldest parked message of each key go on", async () => {
  const { operations, payment, ordering, giveUp, clock } = shop();
  const head = await giveUp();
  for (const [id, message] of [
    ["p-1", "m-2"],
    ["p-2", "m-3"],
  ] as const)
    await payment.transaction((transaction) => transaction.held.put(parked(id, message)));
  for (let more = 0; more < 230; more++) await giveUp({ isOrdered: false, failure: { code: "OTHER", reason: "no", stack: undefined } });
  await giveUp({ isOrdered: false }, ordering);
  expect(await operations.purge({ fingerprint: head.fingerprint })).toBe(1);
  expect((await payment.held.list({ limit: 10 })).map(({ id, dueAt }) => [id, dueAt])).toEqual([
    ["p-2", undefined],
    ["p-1", clock.now()],
  ]);
  expect(await operations.purge({ service: "payment" })).toBe(230);
  expect(await operations.purge({ service: "nobody" })).toBe(0);
  expect(await operations.deadLetters()).toHaveLength(1);
});

test("the services' letters are read as one list, newest first, page by page, also when a cursor's letter has gone", async () => {
  const { operations, payment, ordering, giveUp } = shop();
  const letters: DeadLetter[] = [];
  for (let count = 0; count < 7; count++) letters.unshift(await giveUp({}, count % 2 === 0 ? payment : ordering));
  const expected = letters.map(({ id }) => id);
  const first = await operations.deadLetters({}, { limit: 3 });
  await operations.redrive(first[2]!.id);
  const second = await operations.deadLetters({}, { limit: 3, after: first[2]!.id });
  const third = await operations.deadLetters({}, { limit: 3, after: second[2]!.id });
  expect([...first, ...second, ...third].map(({ id }) => id)).toEqual(expected);
  expect(await operations.deadLetters({ service: "ordering" })).toHaveLength(3);
});

test("held messages of one id in two services are on one page, for a cursor cannot stand between them", async () => {
  const { operations, payment, ordering } = shop();
  for (const store of [payment, ordering])
    for (const id of ["a", "b"]) await store.transaction((transaction) => transaction.held.put(parked(id, id)));
  const first = await operations.held({ limit: 1 });
  expect(first.map(({ id, service }) => [id, service]).sort(([, one], [, other]) => (one! < other! ? -1 : 1))).toEqual([
    ["b", "ordering"],
    ["b", "payment"],
  ]);
  expect(await operations.held({ limit: 1, after: "b" })).toHaveLength(2);
});

test("groups of all services are one list, most letters first", async () => {
  const { operations, ordering, giveUp } = shop();
  await giveUp();
  for (const amount of [3, 41])
    await giveUp({ failure: { code: "SHORT", reason: `${amount} pieces are missing`, stack: undefined } }, ordering);
  expect((await operations.deadLetterGroups()).map(({ service, code, count }) => [service, code, count])).toEqual([
    ["ordering", "SHORT", 2],
    ["payment", "DECLINED", 1],
  ]);
});

test("a filter, page or option that would do more than was meant is refused, and nothing is done", async () => {
  const { operations, giveUp } = shop();
  await giveUp();
  const forgotten: Record<string, unknown> = { fingerprint: undefined };
  for (const filter of [{ code: "DECLINED" }, forgotten, undefined, null, "failed"]) {
    await expect(operations.purge(filter as never)).rejects.toMatchObject({ code: "PR_CALL_INVALID" });
    await expect(operations.redriveMany({ filter: filter as never })).rejects.toMatchObject({ code: "PR_CALL_INVALID" });
  }
  for (const options of [{ ratePerSecond: 0 }, { canary: Number.NaN }, { stopAtFailureRatio: 2 }, { rate: 1 }])
    await expect(operations.redriveMany({ filter: {}, ...options })).rejects.toMatchObject({ code: "PR_CALL_INVALID" });
  for (const limit of [0, -1, 1.5, Number.NaN, 1e9])
    await expect(operations.deadLetters({}, { limit })).rejects.toThrow(/limit must be a whole number/);
  expect([await operations.purge({ ids: [] }), await operations.purge({})]).toEqual([0, 1]);
});
