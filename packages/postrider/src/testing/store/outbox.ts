import assert from "node:assert/strict";
import type { OutboxRow } from "../../ports/outbox.ts";
import type { Store } from "../../ports/store.ts";
import type { Outgoing } from "../../envelope/envelope.ts";
import { inOne, rolledBack } from "../store-environment.ts";
import type { StoreTest } from "./test.ts";

const LEASE_MS = 200;
// As copies of dead letters have them: bytes that are no text, none at all, and a name that means something elsewhere.
const HEADERS = { h: "v", bytes: Uint8Array.of(0, 128, 255), empty: new Uint8Array(), ["__proto__"]: Uint8Array.of(7) };

/** Outgoing messages wait for their relay, in order, under a lease. */
export const outboxTests: readonly StoreTest[] = [
  {
    name: "outgoing messages are claimed after their commit, oldest first, as they were written",
    async run(env) {
      const store = await env.store();
      const bodies: Outgoing["body"][] = ["text\u0000 ✓", Uint8Array.of(0, 255), ""];
      const messages = bodies.map((body) => ({ ...env.outgoing({ key: "one", body }), headers: HEADERS, mayRepeat: true }));
      await inOne(store, (tx) => tx.outbox.append(messages.slice(0, 2)));
      await rolledBack(store, (tx) => tx.outbox.append([env.outgoing()]));
      await inOne(store, (tx) => tx.outbox.append(messages.slice(2)));
      assert.equal(await store.outbox.depth(), 3);
      const rows = await claim(store, "relay");
      assert.deepEqual(
        rows.map(({ message }) => plain(message)),
        messages.map(plain),
      );
      assert.deepEqual(
        rows.map(({ attempts }) => attempts),
        [0, 0, 0],
      );
    },
  },
  {
    name: "a claim takes no more than its limit",
    async run(env) {
      const store = await env.store();
      await inOne(store, (tx) => tx.outbox.append(Array.from({ length: 10 }, () => env.outgoing())));
      assert.equal((await claim(store, "relay", 4)).length, 4);
    },
  },
  {
    name: "a claim takes only rows of its kind of destination, whatever stands before them",
    async run(env) {
      const store = await env.store();
      const events = Array.from({ length: 5 }, () => env.outgoing({ key: "one" }));
      const commands = Array.from({ length: 2 }, () => env.outgoing({ key: "one", destination: "orders.commands" }));
      await inOne(store, (tx) => tx.outbox.append([...events.slice(0, 4), ...commands, ...events.slice(4)]));
      const ids = (rows: readonly OutboxRow[]): string[] => rows.map(({ message }) => message.envelope.id);
      const expected = (messages: readonly Outgoing[]): string[] => messages.map(({ envelope }) => envelope.id);
      const held = await claim(store, "relay", 3);
      assert.deepEqual(ids(held), expected(events.slice(0, 3)));
      const others = await store.outbox.claim({ kind: "command", limit: 100, owner: "relay", leaseMs: LEASE_MS });
      assert.deepEqual(ids(others), expected(commands), "events of the same key under a lease hold up no command");
      await store.outbox.done(others);
      assert.equal(await store.outbox.depth(), 5);
      await store.outbox.giveBack(held, 0);
      assert.deepEqual(ids(await claim(store, "relay")), expected(events));
    },
  },
  {
    name: "a row that is done is gone, and what is left is claimed next",
    async run(env) {
      const store = await env.store();
      await inOne(store, (tx) => tx.outbox.append(Array.from({ length: 6 }, () => env.outgoing({ key: "one" }))));
      const seen: number[] = [];
      for (let rows = await claim(store, "relay", 2); rows.length > 0; rows = await claim(store, "relay", 2)) {
        seen.push(...rows.map(({ sequence }) => sequence));
        await store.outbox.done(rows);
        await store.outbox.done(rows);
      }
      assert.equal(new Set(seen).size, 6);
      assert.deepEqual(
        seen,
        seen.toSorted((left, right) => left - right),
      );
      assert.equal(await store.outbox.depth(), 0);
    },
  },
  {
    name: "two relays never hold a row at once, and together they get everything, per key in order",
    async run(env) {
      const stores = [await env.store(), await env.store()];
      const messages = Array.from({ length: 120 }, (_, at) => env.outgoing({ key: `key-${at % 12}` }));
      for (let from = 0; from < 120; from += 10) await inOne(stores[0]!, (tx) => tx.outbox.append(messages.slice(from, from + 10)));
      const sent: Outgoing[] = [];
      const relay = async (at: number): Promise<void> => {
        const store = stores[at]!;
        const rows = await store.outbox.claim({ kind: "event", limit: 7, owner: `relay-${at}`, leaseMs: 60_000 });
        sent.push(...rows.map(({ message }) => message));
        await env.fixture.pass(1);
        await store.outbox.done(rows);
      };
      await env.until(async () => {
        await Promise.all([relay(0), relay(1)]);
        return (await stores[0]!.outbox.depth()) === 0;
      }, "everything was sent");
      for (let key = 0; key < 12; key++) assert.deepEqual(idsOf(sent, `key-${key}`), idsOf(messages, `key-${key}`));
      assert.equal(sent.length, 120);
    },
  },
  {
    name: "rows given back come again at their time, one attempt more, and no later row of their key before them",
    async run(env) {
      const store = await env.store();
      const [first, second, other] = [env.outgoing({ key: "a" }), env.outgoing({ key: "a" }), env.outgoing({ key: "b" })];
      await inOne(store, (tx) => tx.outbox.append([first, second, other]));
      const rows = await claim(store, "relay");
      const retryAt = (await store.now()) + 150;
      await store.outbox.giveBack(rows.slice(0, 1), retryAt);
      await store.outbox.giveBack(rows.slice(1), 0);
      const now = await claim(store, "relay");
      assert.deepEqual(
        now.map(({ message }) => message.envelope.id),
        [other.envelope.id],
      );
      await store.outbox.done(now);
      await env.fixture.pass(200);
      const later = await claim(store, "relay");
      assert.deepEqual(
        later.map(({ message }) => message.envelope.id),
        [first.envelope.id, second.envelope.id],
      );
      assert.equal(later[0]!.attempts, 1);
    },
  },
  {
    name: "rows of a relay that died are free after its lease, and its late words change nothing",
    async run(env) {
      const store = await env.store();
      await inOne(store, (tx) => tx.outbox.append([env.outgoing({ key: "a" }), env.outgoing({ key: "a" })]));
      const stale = await claim(store, "dead");
      assert.equal(stale.length, 2);
      assert.deepEqual(await claim(store, "alive"), []);
      await env.fixture.pass(LEASE_MS + 50);
      const fresh = await claim(store, "alive");
      assert.deepEqual(
        fresh.map(({ sequence }) => sequence),
        stale.map(({ sequence }) => sequence),
      );
      await store.outbox.done(stale);
      await store.outbox.giveBack(stale, 0);
      assert.equal(await store.outbox.bury(stale[0]!, env.letter({ list: "unsent" })), false);
      assert.equal(await store.outbox.depth(), 2);
      assert.equal(await store.deadLetters.count({}), 0);
      assert.deepEqual(await claim(store, "third"), [], "the fresh claim still stands");
      await store.outbox.done(fresh);
      assert.equal(await store.outbox.depth(), 0);
    },
  },
  {
    name: "a row that can never be sent becomes a dead letter in one step, and its key goes on",
    async run(env) {
      const store = await env.store();
      await inOne(store, (tx) => tx.outbox.append([env.outgoing({ key: "a" }), env.outgoing({ key: "a" })]));
      const [poison] = await claim(store, "relay", 1);
      const letter = env.letter({ list: "unsent" });
      assert.equal(await store.outbox.bury(poison!, letter), true);
      assert.equal((await store.deadLetters.get(letter.id))?.list, "unsent");
      assert.equal(await store.outbox.depth(), 1);
      assert.equal((await claim(store, "relay")).length, 1);
    },
  },
  {
    name: "whoever listens is told of appended rows after their commit, until it stops listening",
    async run(env) {
      const store = await env.store();
      let told = 0;
      const stop = store.outbox.onAppended(() => void told++);
      await rolledBack(store, (tx) => tx.outbox.append([env.outgoing()]));
      await inOne(store, (tx) => tx.outbox.append([env.outgoing()]));
      await env.until(() => told > 0, "the listener was told");
      stop();
      const before = told;
      await inOne(store, (tx) => tx.outbox.append([env.outgoing()]));
      await env.fixture.pass(20);
      assert.equal(told, before);
    },
  },
];

function claim(store: Store, owner: string, limit: number = 100): Promise<readonly OutboxRow[]> {
  return store.outbox.claim({ kind: "event", limit, owner, leaseMs: LEASE_MS });
}

function idsOf(messages: readonly Outgoing[], key: string): string[] {
  return messages.filter(({ envelope }) => envelope.partitionkey === key).map(({ envelope }) => envelope.id);
}

function plain({ body, envelope, headers, ...rest }: Outgoing): object {
  return { ...rest, envelope: { ...envelope }, headers: { ...headers }, body: typeof body === "string" ? body : [...body] };
}
