import assert from "node:assert/strict";
import { needs } from "./test.ts";
import type { StoreTest } from "./test.ts";

/** Starts, effects, leases and progress: what is written outside transactions. */
export const keeperTests: readonly StoreTest[] = [
  {
    name: "how far a lane was taken is remembered by destination and lane, and may go down again",
    async run(env) {
      const store = await env.store();
      assert.equal(await store.starts.taken("a.events", 0), 0);
      await store.starts.markTaken([
        { destination: "a.events", lane: 0, position: 10 },
        { destination: "a.events", lane: 1, position: 20 },
        { destination: "b.events", lane: 0, position: 30 },
      ]);
      await store.starts.markTaken([{ destination: "a.events", lane: 0, position: 7 }]);
      assert.deepEqual(
        [await store.starts.taken("a.events", 0), await store.starts.taken("a.events", 1), await store.starts.taken("b.events", 0)],
        [7, 20, 30],
      );
      await store.starts.markTaken([]);
    },
  },
  {
    name: "starts are counted by message until they are forgotten",
    async run(env) {
      const store = await env.store();
      assert.deepEqual(
        [await store.starts.countStart("m"), await store.starts.countStart("m"), await store.starts.countStart("n")],
        [1, 2, 1],
      );
      await store.starts.forget(["m", "nobody"]);
      assert.deepEqual([await store.starts.countStart("m"), await store.starts.countStart("n")], [1, 2]);
      await store.starts.forget([]);
    },
  },
  {
    name: "marks and counts outlive the process",
    notFor: needs("crash"),
    async run(env) {
      const store = await env.store();
      await store.starts.markTaken([{ destination: "a.events", lane: 0, position: 10 }]);
      await store.starts.countStart("m");
      await env.crash();
      const next = await env.store();
      assert.equal(await next.starts.taken("a.events", 0), 10);
      assert.equal(await next.starts.countStart("m"), 2);
    },
  },
  {
    name: "an effect is intended until its result is known, and then done with that result",
    async run(env) {
      const store = await env.store();
      assert.deepEqual(await store.effects.begin("k"), { state: "intended" });
      assert.deepEqual(await store.effects.begin("k"), { state: "intended" });
      await store.effects.finish("k", '{"a":"값"}');
      assert.deepEqual({ ...(await store.effects.begin("k")) }, { state: "done", result: '{"a":"값"}' });
      assert.deepEqual(await store.effects.begin("other"), { state: "intended" });
    },
  },
  {
    name: "the first result of an effect holds, and a later one is told of it",
    async run(env) {
      const store = await env.store();
      await store.effects.begin("k");
      assert.equal(await store.effects.finish("k", "1"), "1");
      assert.equal(await store.effects.finish("k", "2"), "1");
      assert.deepEqual({ ...(await store.effects.begin("k")) }, { state: "done", result: "1" });
    },
  },
  {
    name: "the result of an effect outlives the process once it is recorded",
    notFor: needs("crash"),
    async run(env) {
      const store = await env.store();
      await store.effects.begin("done");
      await store.effects.finish("done", "1");
      await store.effects.begin("open");
      await env.crash();
      const next = await env.store();
      assert.deepEqual({ ...(await next.effects.begin("done")) }, { state: "done", result: "1" });
      assert.deepEqual(await next.effects.begin("open"), { state: "intended" });
    },
  },
  {
    name: "a lease has one owner at a time; the owner extends it under the same fence",
    async run(env) {
      const [store, other] = [await env.store(), await env.store()];
      const mine = await store.leases.acquire("relay", "me", 60_000);
      assert.equal(mine?.name, "relay");
      assert.equal(await other.leases.acquire("relay", "you", 60_000), undefined);
      assert.equal((await store.leases.acquire("relay", "me", 60_000))?.fence, mine?.fence);
      assert.notEqual(await other.leases.acquire("another", "you", 60_000), undefined);
    },
  },
  {
    name: "of many that ask for a free lease at once, one gets it",
    async run(env) {
      const stores = [await env.store(), await env.store()];
      const leases = await Promise.all(
        Array.from({ length: 20 }, (_, at) => stores[at % 2]!.leases.acquire("relay", `owner-${at}`, 60_000)),
      );
      assert.equal(leases.filter((lease) => lease !== undefined).length, 1);
    },
  },
  {
    name: "a lease that is over or released goes to the next owner, under a greater fence",
    async run(env) {
      const store = await env.store();
      const first = await store.leases.acquire("relay", "first", 100);
      await env.fixture.pass(150);
      const second = await store.leases.acquire("relay", "second", 60_000);
      assert.ok(second!.fence > first!.fence);
      await store.leases.release(first!, "first");
      assert.equal(await store.leases.acquire("relay", "third", 60_000), undefined, "the release of a lost lease changes nothing");
      await store.leases.release(second!, "second");
      const third = await store.leases.acquire("relay", "third", 60_000);
      assert.ok(third!.fence > second!.fence);
    },
  },
  {
    name: "an extended lease lasts from its extension on",
    async run(env) {
      const store = await env.store();
      await store.leases.acquire("relay", "me", 150);
      await env.fixture.pass(100);
      await store.leases.acquire("relay", "me", 60_000);
      await env.fixture.pass(100);
      assert.equal(await store.leases.acquire("relay", "you", 100), undefined);
    },
  },
  {
    name: "the last report of progress is the one that is read",
    async run(env) {
      const store = await env.store();
      assert.equal(await store.progress.get("m"), undefined);
      await store.progress.report("m", { percent: 10, note: "준비", at: 1 });
      await store.progress.report("m", { percent: 55.5, at: 2 });
      assert.deepEqual({ ...(await store.progress.get("m")) }, { percent: 55.5, at: 2 });
      await store.progress.report("m", { percent: 100, note: "done", at: 3 });
      assert.deepEqual({ ...(await store.progress.get("m")) }, { percent: 100, note: "done", at: 3 });
    },
  },
  {
    name: "the store's time goes on",
    async run(env) {
      const store = await env.store();
      const before = await store.now();
      await env.fixture.pass(20);
      assert.ok((await store.now()) > before);
    },
  },
];
