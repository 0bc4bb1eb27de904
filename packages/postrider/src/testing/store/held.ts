import assert from "node:assert/strict";
import type { ClaimedHeld, HeldMessage } from "../../ports/held.ts";
import type { Store } from "../../ports/store.ts";
import { inOne, rolledBack } from "../store-environment.ts";
import { codeOf } from "../wait.ts";
import type { StoreTest } from "./test.ts";

const LEASE_MS = 200;

/** Messages that wait in the store to be run, under claims. */
export const heldTests: readonly StoreTest[] = [
  {
    name: "held messages are claimed once they are due, oldest first, as they were put",
    async run(env) {
      const store = await env.store();
      const nowMs = await store.now();
      const second = env.held(nowMs - 10, {
        body: Uint8Array.of(0, 255),
        key: "k",
        isOrdered: true,
        failures: 3,
        redrives: 2,
        deadLetterId: "letter",
        purpose: "redrive",
      });
      const first = env.held(nowMs - 20, { envelope: undefined, firstFailedAt: undefined, body: "not\u0000json", headers: { a: "b" } });
      await inOne(
        store,
        (tx) => tx.held.put(second),
        (tx) => tx.held.put(first),
        (tx) => tx.held.put(env.held(nowMs + 60_000)),
      );
      const claimed = await claim(store);
      assert.deepEqual(claimed.map(plain), [first, second].map(plain));
      assert.deepEqual(await claim(store), []);
    },
  },
  {
    name: "a claim keeps to its destination, its lanes and its limit",
    async run(env) {
      const store = await env.store();
      const put = [
        env.held(1, { lane: 0 }),
        env.held(2, { lane: 1 }),
        env.held(3, { lane: 2 }),
        env.held(4, { lane: 1, destination: "other.events" }),
      ];
      for (const entry of put) await inOne(store, (tx) => tx.held.put(entry));
      const options = { destination: "orders.events", limit: 10, leaseMs: LEASE_MS };
      assert.deepEqual(idsOf(await store.held.claimDue({ ...options, lanes: [] })), []);
      assert.deepEqual(idsOf(await store.held.claimDue({ ...options, lanes: [1, 7] })), [put[1]!.id]);
      assert.deepEqual(idsOf(await store.held.claimDue({ ...options, lanes: undefined, limit: 1 })), [put[0]!.id]);
      assert.deepEqual(idsOf(await store.held.claimDue({ ...options, lanes: undefined })), [put[2]!.id]);
      assert.deepEqual(idsOf(await store.held.claimDue({ ...options, lanes: undefined, destination: "other.events" })), [put[3]!.id]);
    },
  },
  {
    name: "no two claims give the same message, however many are made at once",
    async run(env) {
      const stores = [await env.store(), await env.store()];
      for (let at = 0; at < 40; at++) await inOne(stores[0]!, (tx) => tx.held.put(env.held(at)));
      const claims = await Promise.all(Array.from({ length: 8 }, (_, at) => claim(stores[at % 2]!, 10, 60_000)));
      const ids = claims.flatMap(idsOf);
      assert.equal(ids.length, 40);
      assert.equal(new Set(ids).size, 40);
    },
  },
  {
    name: "a completed message is gone with the commit, and only with it",
    async run(env) {
      const store = await env.store();
      await inOne(store, (tx) => tx.held.put(env.held(1)));
      const [claimed] = await claim(store);
      await rolledBack(store, (tx) => tx.held.complete(claimed!));
      assert.equal((await store.held.get(claimed!.id))?.id, claimed!.id);
      await inOne(store, (tx) => tx.held.complete(claimed!));
      assert.equal(await store.held.get(claimed!.id), undefined);
      assert.equal(await store.held.nextDueAt(), undefined);
    },
  },
  {
    name: "a postponed message comes again at its new time with its new count",
    async run(env) {
      const store = await env.store();
      await inOne(store, (tx) => tx.held.put(env.held(1)));
      const [claimed] = await claim(store);
      const dueAt = (await store.now()) + 150;
      await inOne(store, (tx) => tx.held.postpone(claimed!, { dueAt, failures: 2, firstFailedAt: 77 }));
      assert.deepEqual(await claim(store), []);
      assert.equal(await store.held.nextDueAt(), dueAt);
      await env.fixture.pass(200);
      const [again] = await claim(store);
      assert.deepEqual([again!.failures, again!.firstFailedAt, again!.dueAt], [2, 77, dueAt]);
    },
  },
  {
    name: "a claim that is not ended is free again after its lease, and its stale owner can neither complete nor postpone",
    async run(env) {
      const store = await env.store();
      await inOne(store, (tx) => tx.held.put(env.held(1)));
      const [stale] = await claim(store);
      await env.fixture.pass(LEASE_MS + 50);
      const [fresh] = await claim(store);
      assert.equal(fresh!.id, stale!.id);
      const change = { dueAt: 5, failures: 9, firstFailedAt: 1 };
      const spoiled = store.transaction(async (tx) => {
        await tx.inbox.record(env.entry());
        await tx.held.complete(stale!);
      });
      assert.equal(await codeOf(spoiled), "PR_LEASE_LOST");
      assert.equal(await codeOf(inOne(store, (tx) => tx.held.postpone(stale!, change))), "PR_LEASE_LOST");
      await store.held.giveBack([stale!]);
      assert.equal(await store.inbox.count(), 0, "what the stale owner wrote is rolled back");
      assert.deepEqual(await claim(store), [], "the fresh claim still stands");
      await inOne(store, (tx) => tx.held.complete(fresh!));
      assert.equal(await codeOf(inOne(store, (tx) => tx.held.complete(fresh!))), "PR_LEASE_LOST");
    },
  },
  {
    name: "claims given back are free at once, with nothing counted",
    async run(env) {
      const store = await env.store();
      await inOne(store, (tx) => tx.held.put(env.held(1)));
      const [claimed] = await claim(store, 10, 60_000);
      await store.held.giveBack([claimed!]);
      const [again] = await claim(store);
      assert.deepEqual([again!.id, again!.failures], [claimed!.id, claimed!.failures]);
    },
  },
  {
    name: "putting the same id again replaces it and ends its claim",
    async run(env) {
      const store = await env.store();
      const entry = env.held(1);
      await inOne(store, (tx) => tx.held.put(entry));
      const [claimed] = await claim(store, 10, 60_000);
      await inOne(store, (tx) => tx.held.put({ ...entry, failures: 5 }));
      assert.equal(await codeOf(inOne(store, (tx) => tx.held.complete(claimed!))), "PR_LEASE_LOST");
      const [again] = await claim(store);
      assert.equal(again!.failures, 5);
    },
  },
  {
    name: "counts and lists go by purpose, and the list by id downwards",
    async run(env) {
      const store = await env.store();
      const entries = [env.held(1), env.held(undefined, { key: "k", isOrdered: true }), env.held(2, { purpose: "redrive" }), env.held(3)];
      for (const entry of entries) await inOne(store, (tx) => tx.held.put(entry));
      assert.deepEqual({ ...(await store.held.count()) }, { retry: 2, parked: 1, redrive: 1 });
      const first = await store.held.list({ limit: 3 });
      const second = await store.held.list({ limit: 3, after: first[2]!.id });
      assert.deepEqual(
        [...first, ...second].map(({ id }) => id),
        entries.map(({ id }) => id).toReversed(),
      );
      assert.deepEqual(
        (await store.held.list({ limit: 9, purpose: "retry" })).map(({ id }) => id),
        [entries[3]!.id, entries[0]!.id],
      );
    },
  },
];

function claim(store: Store, limit: number = 10, leaseMs: number = LEASE_MS): Promise<readonly ClaimedHeld[]> {
  return store.held.claimDue({ destination: "orders.events", lanes: undefined, limit, leaseMs });
}

function idsOf(entries: readonly HeldMessage[]): string[] {
  return entries.map(({ id }) => id);
}

/** A held message to compare: without its claim, bytes as a list. */
function plain(entry: HeldMessage & { readonly fence?: number }): object {
  const { fence: _, envelope, headers, body, ...rest } = entry;
  return { ...rest, envelope: envelope && { ...envelope }, headers: { ...headers }, body: typeof body === "string" ? body : [...body] };
}
