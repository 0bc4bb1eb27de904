import assert from "node:assert/strict";
import type { DeadLetter, DeadLetterFilter } from "../../ports/dead-letters.ts";
import { inOne } from "../store-environment.ts";
import type { StoreTest } from "./test.ts";

/** What was given up, byte for byte. */
export const deadLetterTests: readonly StoreTest[] = [
  {
    name: "a dead letter comes back exactly, byte for byte",
    async run(env) {
      const store = await env.store();
      const letters = [
        env.letter({
          body: Uint8Array.of(0xff, 0, 0xc0),
          headers: { text: "값", bytes: Uint8Array.of(0, 255) },
          key: "k",
          isOrdered: true,
          lane: 3,
          stack: "at x",
          redrives: 2,
        }),
        env.letter({ body: '{"a":"\u0000\ufeff✓"}', envelope: undefined, contract: "", messageId: "" }),
        env.letter({ body: "", list: "quarantined", reason: "'; drop table x; --" }),
      ];
      for (const letter of letters) await inOne(store, (tx) => tx.deadLetters.add(letter));
      for (const letter of letters) assert.deepEqual(plain((await store.deadLetters.get(letter.id))!), plain(letter));
      assert.equal(await store.deadLetters.get("nobody"), undefined);
    },
  },
  {
    name: "of many transactions that remove one letter at once, one finds it",
    async run(env) {
      const stores = [await env.store(), await env.store()];
      const letter = env.letter();
      await inOne(stores[0]!, (tx) => tx.deadLetters.add(letter));
      const removed = await Promise.all(
        Array.from({ length: 20 }, (_, at) =>
          stores[at % 2]!.transaction(
            async (tx) => (await tx.deadLetters.get(letter.id)) !== undefined && (await tx.deadLetters.remove(letter.id)),
          ),
        ),
      );
      assert.equal(removed.filter(Boolean).length, 1);
    },
  },
  {
    name: "letters are found by list, contract, cause, key, message, ids and age, all parts together",
    async run(env) {
      const store = await env.store();
      const letters = [
        env.letter({ contract: "orders.placed", fingerprint: "f-1", key: "a", at: 1000 }),
        env.letter({ contract: "orders.placed", fingerprint: "f-2", key: "b", at: 2000 }),
        env.letter({ contract: "orders.paid", fingerprint: "f-1", list: "unhandled", at: 3000 }),
        env.letter({ contract: "orders.paid", fingerprint: "f-3", list: "expired", at: 4000, messageId: "m-4" }),
      ];
      for (const letter of letters) await inOne(store, (tx) => tx.deadLetters.add(letter));
      const table: [DeadLetterFilter, number[]][] = [
        [{}, [3, 2, 1, 0]],
        [{ list: "failed" }, [1, 0]],
        [{ contract: "orders.paid" }, [3, 2]],
        [{ fingerprint: "f-1" }, [2, 0]],
        [{ fingerprint: "f-1", list: "failed" }, [0]],
        [{ key: "b" }, [1]],
        [{ messageId: "m-4" }, [3]],
        [{ before: 3000 }, [1, 0]],
        [{ ids: [letters[3]!.id, letters[0]!.id, "nobody"] }, [3, 0]],
        [{ ids: [] }, []],
        [{ list: "quarantined" }, []],
      ];
      for (const [filter, expected] of table) {
        const found = await store.deadLetters.list(filter, { limit: 10 });
        assert.deepEqual(
          found.map(({ id }) => id),
          expected.map((at) => letters[at]!.id),
          JSON.stringify(filter),
        );
        assert.equal(await store.deadLetters.count(filter), expected.length);
      }
    },
  },
  {
    name: "pages go by id downwards, miss nothing and repeat nothing, though the last one seen has gone",
    async run(env) {
      const store = await env.store();
      const letters = Array.from({ length: 25 }, (_, at) => env.letter({ at: 1000 + (at % 3) }));
      for (const letter of letters) await inOne(store, (tx) => tx.deadLetters.add(letter));
      const seen: string[] = [];
      for (let after: string | undefined; ;) {
        const page = await store.deadLetters.list({}, { limit: 10, ...(after === undefined ? {} : { after }) });
        if (page.length === 0) break;
        seen.push(...page.map(({ id }) => id));
        const last = seen.at(-1)!;
        after = last;
        await inOne(store, (tx) => tx.deadLetters.remove(last));
      }
      assert.deepEqual(seen, letters.map(({ id }) => id).toReversed());
    },
  },
  {
    name: "letters of one cause are one group, with their number and their first and last time",
    async run(env) {
      const store = await env.store();
      const letters = [
        env.letter({ fingerprint: "rare", code: "B", reason: "b", at: 50 }),
        ...[30, 10, 20].map((at) => env.letter({ fingerprint: "often", code: "A", reason: "a", at })),
        env.letter({ fingerprint: "expired", list: "expired" }),
      ];
      for (const letter of letters) await inOne(store, (tx) => tx.deadLetters.add(letter));
      const groups = await store.deadLetters.groups({ list: "failed" });
      const { service, contract } = letters[0]!;
      assert.deepEqual(
        groups.map((group) => ({ ...group })),
        [
          { fingerprint: "often", service, contract, code: "A", reason: "a", count: 3, firstAt: 10, lastAt: 30 },
          { fingerprint: "rare", service, contract, code: "B", reason: "b", count: 1, firstAt: 50, lastAt: 50 },
        ],
      );
    },
  },
];

function plain({ envelope, headers, body, ...rest }: DeadLetter): object {
  const bytes = (value: string | Uint8Array): unknown => (typeof value === "string" ? value : [...value]);
  const plainHeaders = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, bytes(value)]));
  return { ...rest, envelope: envelope && { ...envelope }, headers: plainHeaders, body: bytes(body) };
}
