import assert from "node:assert/strict";
import { describe, test } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { NO_HEADERS } from "../../envelope/envelope.ts";
import type { Outgoing } from "../../envelope/envelope.ts";
import type { Store } from "../../ports/store.ts";
import { until as untilOf } from "../../testing/wait.ts";
import { keyLockOf, lockOf, OUTBOX_KEY_CLASS } from "./locks.ts";
import { quoted } from "./names.ts";
import { missingServer, withSchema } from "./postgres.test-support.ts";
import type { TestSchema } from "./postgres.test-support.ts";

const waiting = { pass: (ms: number): Promise<void> => systemClock.sleep(ms) };

function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  return untilOf(waiting, condition, what);
}

let count = 0;

function message(key: string | undefined, type = "orders.placed"): Outgoing {
  const id = `0198c000-0000-7000-8000-${(++count).toString(16).padStart(12, "0")}`;
  const keyed = key === undefined ? {} : { partitionkey: key };
  const envelope = { id, source: "/s", type, kind: "event", contractversion: 1, time: "2026-01-01T00:00:00.000Z", ...keyed } as const;
  return { destination: "orders.events", mayRepeat: false, envelope, headers: NO_HEADERS, body: id };
}

async function append(store: Store, ...messages: readonly Outgoing[]): Promise<void> {
  await store.transaction((tx) => tx.outbox.append(messages));
}

async function claim(store: Store, limit = 100, owner = "relay"): Promise<Awaited<ReturnType<Store["outbox"]["claim"]>>> {
  return store.outbox.claim({ kind: "event", limit, owner, leaseMs: 60_000 });
}

const idsOf = (rows: readonly { readonly message: Outgoing }[]): string[] => rows.map(({ message: { envelope } }) => envelope.id);

const asRows = (messages: readonly Outgoing[]): readonly { readonly message: Outgoing }[] => messages.map((one) => ({ message: one }));

async function opened(schema: TestSchema): Promise<Store> {
  const store = schema.connect().store("billing");
  await store.open();
  return store;
}

/** From now on the commit of a message of type `slow` waits until the returned function is called. */
async function slowCommits(schema: TestSchema): Promise<() => Promise<unknown>> {
  const lock = 4711;
  await schema.admin(`create function "${schema.name}".wait_at_commit() returns trigger language plpgsql as
    $$ begin if new.type = 'slow' then perform pg_advisory_xact_lock(${lock}, hashtext('${schema.name}')); end if; return null; end $$`);
  await schema.admin(`create constraint trigger slow after insert on "${schema.name}".pr_outbox deferrable initially deferred
    for each row execute function "${schema.name}".wait_at_commit()`);
  return schema.hold(`select pg_advisory_lock(${lock}, hashtext('${schema.name}'))`);
}

// Without a server there is nothing to check; the bench says why there is none.
describe.skipIf(missingServer() !== undefined)("the outbox on PostgreSQL", () => {
  test("a row that becomes visible after one with a greater number is sent, and holds up no other key", () =>
    withSchema(async (schema) => {
      const store = await opened(schema);
      const release = await slowCommits(schema);
      const [late, early] = [message("a", "slow"), message("b")];
      const lateCommit = append(store, late);
      await until(() => schema.isWaiting(), "the late commit waits");
      await append(store, early);
      const first = await claim(store);
      assert.deepEqual(idsOf(first), [early.envelope.id]);
      await store.outbox.done(first);
      await release();
      await lateCommit;
      const second = await claim(store);
      assert.deepEqual(idsOf(second), [late.envelope.id]);
      assert.ok(second[0]!.sequence < first[0]!.sequence, "it had its number before");
    }));

  test("of one key, what commits later has the greater number, whoever began first", () =>
    withSchema(async (schema) => {
      const [one, two] = [await opened(schema), await opened(schema)];
      const release = await slowCommits(schema);
      const [first, second] = [message("a", "slow"), message("a")];
      const firstCommit = append(one, first);
      await until(async () => (await schema.waitingCount()) === 1, "the first waits in its commit");
      let isSecondDone = false;
      const secondCommit = append(two, second).then(() => (isSecondDone = true));
      await until(async () => (await schema.waitingCount()) === 2, "the second waits for the first");
      assert.equal(isSecondDone, false);
      assert.deepEqual(await claim(two), []);
      await release();
      await Promise.all([firstCommit, secondCommit]);
      assert.deepEqual(idsOf(await claim(two)), [first.envelope.id, second.envelope.id]);
    }));

  test.each([1, 2])("a message has no number before it has the lock of its key: %i in one statement", (size) =>
    withSchema(async (schema) => {
      const store = await opened(schema);
      const place = quoted(schema.name);
      const release = await schema.hold(
        `select pg_advisory_lock(${OUTBOX_KEY_CLASS}, ${keyLockOf(lockOf("outbox", place, "billing"), "orders.events", "a")})`,
      );
      const appended = append(store, ...Array.from({ length: size }, () => message("a")));
      await until(() => schema.isWaiting(), "it waits for the lock");
      const sequence = await schema.admin(`select is_called from ${place}.pr_outbox_sequence_seq`);
      assert.deepEqual(sequence, [{ is_called: false }]);
      await release();
      await appended;
      assert.equal((await claim(store)).length, size);
    }),
  );

  test("sends that nobody awaits keep the order of their calls within a key, many to a commit", () =>
    withSchema(async (schema) => {
      const store = await opened(schema);
      const messages = Array.from({ length: 2500 }, (_, at) => message(at % 5 === 0 ? undefined : `key-${at % 7}`));
      await Promise.all(messages.map((one) => append(store, one)));
      const commits = await schema.admin(`select distinct xmin::text from "${schema.name}".pr_outbox`);
      assert.ok(commits.length < 50, `${commits.length} commits`);
      const rows = (await claim(store, 5000)).map(({ message: { envelope } }) => envelope);
      for (let key = 0; key < 7; key++) {
        const ofKey = (envelopes: readonly Outgoing["envelope"][]): string[] =>
          envelopes.filter(({ partitionkey }) => partitionkey === `key-${key}`).map(({ id }) => id);
        assert.deepEqual(ofKey(rows), ofKey(messages.map(({ envelope }) => envelope)));
      }
      assert.equal(rows.length, 2500);
    }));

  test("a message that the server refuses fails alone, whatever shared its statement", () =>
    withSchema(async (schema) => {
      const store = await opened(schema);
      await schema.admin(`alter table "${schema.name}".pr_outbox add check (type <> 'bad')`);
      const outcomes = await Promise.allSettled(
        Array.from({ length: 60 }, (_, at) => append(store, message("k", at % 20 === 7 ? "bad" : "good"))),
      );
      assert.equal(outcomes.filter(({ status }) => status === "rejected").length, 3);
      assert.equal(await store.outbox.depth(), 57);
    }));

  test("messages of many keys in many transactions at once neither deadlock nor get lost", () =>
    withSchema(async (schema) => {
      const stores = [await opened(schema), await opened(schema)];
      const batch = (at: number): Outgoing[] => Array.from({ length: 40 }, (_, n) => message(`k-${at % 2 === 0 ? n : 39 - n}`));
      const batches = Array.from({ length: 30 }, (_, at) => batch(at));
      await Promise.all(batches.map((messages, at) => append(stores[at % 2]!, ...messages)));
      assert.equal(await stores[0]!.outbox.depth(), 1200);
    }));

  test("a transaction with thousands of keys takes a bounded number of locks", () =>
    withSchema(async (schema) => {
      const store = await opened(schema);
      await append(store, ...Array.from({ length: 12_000 }, (_, at) => message(`key-${at}`)));
      assert.equal(await store.outbox.depth(), 12_000);
    }));

  test("with four relays that fail now and then, each key leaves in order and nothing is lost", () =>
    withSchema(async (schema) => {
      const [sender, ...relays] = await Promise.all(Array.from({ length: 5 }, () => opened(schema)));
      const messages = Array.from({ length: 600 }, (_, at) => message(`key-${at % 15}`));
      const sent: string[] = [];
      const over = new AbortController();
      const relay = async (store: Store, number: number): Promise<void> => {
        for (let round = 0; !over.signal.aborted; round++) {
          const rows = await claim(store, 11, `relay-${number}`);
          const keep = round % 3 === 2 ? rows.slice(0, Math.floor(rows.length / 2)) : rows;
          // A key whose row fails keeps the later ones of its batch back with it.
          const failed = new Set(rows.slice(keep.length).map(({ message: { envelope } }) => envelope.partitionkey));
          const done = keep.filter(({ message: { envelope } }) => !failed.has(envelope.partitionkey));
          sent.push(...idsOf(done));
          await store.outbox.done(done);
          await store.outbox.giveBack(
            rows.filter((row) => !done.includes(row)),
            0,
          );
          await waiting.pass(1);
        }
      };
      const running = relays.map(relay);
      for (let from = 0; from < messages.length; from += 7) await append(sender!, ...messages.slice(from, from + 7));
      await until(async () => (await sender!.outbox.depth()) === 0, "everything was sent");
      over.abort();
      await Promise.all(running);
      assert.equal(sent.length, messages.length);
      const byKey = (ids: readonly string[], key: number): string[] => ids.filter((id) => keyOf.get(id) === `key-${key}`);
      const keyOf = new Map(messages.map(({ envelope }) => [envelope.id, envelope.partitionkey]));
      const all = messages.map(({ envelope }) => envelope.id);
      for (let key = 0; key < 15; key++) assert.deepEqual(byKey(sent, key), byKey(all, key));
    }));

  test("a key with a long backlog that is put off does not keep others from being found", () =>
    withSchema(async (schema) => {
      const store = await opened(schema);
      await append(store, ...Array.from({ length: 3000 }, () => message("stuck")), message("free"));
      const [head] = await claim(store, 1);
      await store.outbox.giveBack([head!], (await store.now()) + 60_000);
      const rows = await claim(store, 10);
      assert.deepEqual(
        rows.map(({ message: { envelope } }) => envelope.partitionkey),
        ["free"],
      );
    }));

  test("rows far from each other are removed, and none between them", () =>
    withSchema(async (schema) => {
      const store = await opened(schema);
      await append(store, ...Array.from({ length: 200 }, () => message(undefined)));
      const rows = await claim(store, 200);
      const ends = [rows[0]!, rows[199]!];
      await store.outbox.done(ends);
      await until(async () => (await store.outbox.depth()) === 198, "both are gone");
      const odd = rows.slice(1, -1).filter((_, at) => at % 2 === 1);
      await store.outbox.done(odd);
      await until(async () => (await store.outbox.depth()) === 99, "half are gone");
      const left = await schema.admin(`select sequence::integer as sequence from "${schema.name}".pr_outbox order by sequence`);
      assert.deepEqual(
        left.map(({ sequence }) => sequence),
        rows.filter((row) => !ends.includes(row) && !odd.includes(row)).map(({ sequence }) => sequence),
      );
    }));

  test("what was read ahead does not overtake a row of its key that is given back meanwhile", () =>
    withSchema(async (schema) => {
      const store = await opened(schema);
      const messages = Array.from({ length: 12 }, (_, at) => message(at % 3 === 0 ? "a" : undefined));
      await append(store, ...messages);
      const [head, ...others] = await claim(store, 3); // and the next three are read ahead
      assert.deepEqual(idsOf(await claim(store, 2)), idsOf(asRows(messages.slice(4, 6))), "none of the key that is out");
      await store.outbox.giveBack([head!], (await store.now()) + 60_000);
      await store.outbox.done(others);
      assert.deepEqual(idsOf(await claim(store, 100)), idsOf(asRows(messages.slice(6).filter((_, at) => at % 3 !== 0))));
    }));

  test("another process hears of what was appended where no relay runs, also after its listening connection was lost", () =>
    withSchema(async (schema) => {
      const [sender, listening] = [await opened(schema), await opened(schema)];
      let told = 0;
      const stop = listening.outbox.onAppended(() => void told++);
      for (let round = 0; round < 3; round++) {
        await until(async () => (await schema.listeners()).length === 1 && told > 0, "it listens");
        const before = told;
        await append(sender, message("a"));
        await until(() => told > before, "it was told");
        told = 0;
        assert.equal((await schema.listeners()).length, 1);
        for (const pid of await schema.listeners()) await schema.admin("select pg_terminate_backend($1)", pid);
      }
      stop();
    }));

  test("Debezium's columns are there, and the payload is the body byte for byte", () =>
    withSchema(async (schema) => {
      const store = await opened(schema);
      const sent = message("a");
      await append(store, { ...sent, body: Uint8Array.of(0, 255) });
      const rows = await schema.admin(`select id, aggregatetype, aggregateid, type, payload from "${schema.name}".pr_outbox`);
      const { payload, ...rest } = rows[0]!;
      assert.deepEqual(rest, { id: sent.envelope.id, aggregatetype: "orders.events", aggregateid: "a", type: "orders.placed" });
      assert.deepEqual([...(payload as Uint8Array)], [0, 255]);
    }));
});
