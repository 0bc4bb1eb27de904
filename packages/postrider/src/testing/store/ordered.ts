import assert from "node:assert/strict";
import type { HeldMessage } from "../../ports/held.ts";
import type { Store } from "../../ports/store.ts";
import type { StoreEnvironment } from "../store-environment.ts";
import { inOne, rolledBack } from "../store-environment.ts";
import type { StoreTest } from "./test.ts";

const ORDERS = "orders.events";

/** Keys whose messages wait behind one that failed. */
export const orderedTests: readonly StoreTest[] = [
  {
    name: "a key is blocked while one of its messages is retried, redriven, parked or dead, and no other key is",
    async run(env) {
      const store = await env.store();
      const blockers: [string, (store: Store) => Promise<void>][] = [
        ["retry", (of) => inOne(of, (tx) => tx.held.put(env.held(1, { key: "retry", isOrdered: true })))],
        ["redrive", (of) => inOne(of, (tx) => tx.held.put(env.held(1, { key: "redrive", isOrdered: true, purpose: "redrive" })))],
        ["parked", (of) => inOne(of, (tx) => tx.held.put(parked(env, "parked")))],
        ["dead", (of) => inOne(of, (tx) => tx.deadLetters.add(env.letter({ key: "dead", isOrdered: true })))],
      ];
      for (const [key, block] of blockers) {
        assert.equal(await isBlocked(store, key), false);
        await block(store);
        assert.equal(await isBlocked(store, key), true, key);
      }
      assert.equal(await isBlocked(store, "another"), false);
      assert.equal(await store.transaction(async (tx) => await tx.held.isBlocked("other.events", "retry")), false);
      assert.deepEqual([...(await store.held.blockedKeys(ORDERS, undefined))].sort(), ["dead", "parked", "redrive", "retry"]);
      assert.deepEqual([...(await store.held.blockedKeys(ORDERS, [0, 5]))].sort(), ["dead", "parked", "redrive", "retry"]);
      assert.deepEqual(await store.held.blockedKeys(ORDERS, [5]), []);
    },
  },
  {
    name: "messages without order, and letters on other lists, block no key",
    async run(env) {
      const store = await env.store();
      await inOne(
        store,
        (tx) => tx.held.put(env.held(1, { key: "k", isOrdered: false })),
        (tx) => tx.deadLetters.add(env.letter({ key: "k", isOrdered: false })),
        (tx) => tx.deadLetters.add(env.letter({ key: "k", isOrdered: true, list: "expired" })),
        (tx) => tx.deadLetters.add(env.letter({ key: "k", isOrdered: true, list: "unhandled" })),
      );
      assert.equal(await isBlocked(store, "k"), false);
      assert.deepEqual(await store.held.blockedKeys(ORDERS, undefined), []);
    },
  },
  {
    name: "a message does not block itself",
    async run(env) {
      const store = await env.store();
      const head = env.held(1, { key: "k", isOrdered: true });
      await inOne(store, (tx) => tx.held.put(head));
      assert.equal(await isBlocked(store, "k", head.id), false);
      await inOne(store, (tx) => tx.held.put(parked(env, "k")));
      assert.equal(await isBlocked(store, "k", head.id), true);
    },
  },
  {
    name: "a parked message is never due until it is released",
    async run(env) {
      const store = await env.store();
      await inOne(
        store,
        (tx) => tx.held.put(parked(env, "k")),
        (tx) => tx.held.put(parked(env, "k")),
      );
      assert.deepEqual(await claim(store), []);
      assert.equal(await store.held.nextDueAt(), undefined);
      assert.equal(await store.transaction(async (tx) => await tx.held.parkedCount(ORDERS, "k")), 2);
      assert.equal(await store.transaction(async (tx) => await tx.held.parkedCount(ORDERS, "other")), 0);
    },
  },
  {
    name: "parked messages are released one by one, in the order they were parked, each when the one before it is done",
    async run(env) {
      const store = await env.store();
      const head = env.held(1, { key: "k", isOrdered: true });
      const behind = Array.from({ length: 4 }, () => parked(env, "k"));
      await inOne(store, (tx) => tx.held.put(head));
      for (const entry of behind) await inOne(store, (tx) => tx.held.put(entry));
      assert.equal(await release(store, "k"), false, "the head still blocks the key");
      const order: string[] = [];
      for (let round = 0; round < 5; round++) {
        const claimed = await claim(store);
        assert.equal(claimed.length, 1, "one at a time");
        order.push(claimed[0]!.id);
        await inOne(
          store,
          (tx) => tx.held.complete(claimed[0]!),
          async (tx) => assert.equal(await tx.held.releaseNext(ORDERS, "k"), round < 4),
        );
      }
      assert.deepEqual(
        order,
        [head, ...behind].map(({ id }) => id),
      );
      assert.equal(await isBlocked(store, "k"), false);
    },
  },
  {
    name: "nothing is released while a dead letter of the key is there, and the oldest is once it is gone",
    async run(env) {
      const store = await env.store();
      const letter = env.letter({ key: "k", isOrdered: true });
      const waiting = parked(env, "k");
      await inOne(
        store,
        (tx) => tx.deadLetters.add(letter),
        (tx) => tx.held.put(waiting),
      );
      assert.equal(await release(store, "k"), false);
      await inOne(
        store,
        (tx) => tx.deadLetters.remove(letter.id),
        async (tx) => assert.equal(await tx.held.releaseNext(ORDERS, "k"), true),
      );
      assert.deepEqual(
        (await claim(store)).map(({ id }) => id),
        [waiting.id],
      );
    },
  },
  {
    name: "a release is undone with its transaction, and releases nothing twice",
    async run(env) {
      const store = await env.store();
      await inOne(
        store,
        (tx) => tx.held.put(parked(env, "k")),
        (tx) => tx.held.put(parked(env, "k")),
      );
      await rolledBack(store, (tx) => tx.held.releaseNext(ORDERS, "k"));
      assert.deepEqual(await claim(store), []);
      assert.equal(await release(store, "k"), true);
      assert.equal(await release(store, "k"), false, "the released one blocks the key until it is done");
      assert.equal((await claim(store)).length, 1);
      assert.equal(await release(store, "nobody"), false);
    },
  },
];

function parked(env: StoreEnvironment, key: string): HeldMessage {
  return env.held(undefined, { key, isOrdered: true, failures: 0, firstFailedAt: undefined });
}

function isBlocked(store: Store, key: string, exceptId?: string): Promise<boolean> {
  return store.transaction(async (tx) => await tx.held.isBlocked(ORDERS, key, exceptId));
}

function release(store: Store, key: string): Promise<boolean> {
  return store.transaction(async (tx) => await tx.held.releaseNext(ORDERS, key));
}

function claim(store: Store): ReturnType<Store["held"]["claimDue"]> {
  return store.held.claimDue({ destination: ORDERS, lanes: undefined, limit: 10, leaseMs: 60_000 });
}
