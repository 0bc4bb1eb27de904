import { setTimeout as sleep } from "node:timers/promises";
import { mysqlStores } from "postrider/mysql";
import { postgresStores } from "postrider/postgres";
import { describe, expect, test } from "vitest";
import { missingOwn, ownBroker } from "../brokers/own.ts";
import type { OwnBroker } from "../brokers/own.ts";

type Store = ReturnType<ReturnType<typeof postgresStores>>;

const COUNT = 600;
const WRITERS = 12;
const NO_HEADERS = {};

const KINDS = [
  { kind: "postgres", storeAt: (url: string): Store => postgresStores({ url, statementTimeoutMs: 500 })("billing") },
  { kind: "mariadb", storeAt: (url: string): Store => mysqlStores({ url })("billing") },
] as const;

describe.each(KINDS)("a store whose server dies: $kind", ({ kind, storeAt }) => {
  const missing = missingOwn(kind);

  // Without a server there is nothing to break.
  test.skipIf(missing !== undefined)(
    "nothing acknowledged is lost, and what is tried again after an unknown outcome happens once",
    async () => {
      await using server = await ownBroker(kind);
      const store = await opened(storeAt(server.url));
      await store.transaction((tx) => tx.run("create table ledger (id varchar(64) not null)"));
      const acknowledged = new Set<string>();
      const left = Array.from({ length: COUNT }, (_, at) => `m-${at}`);
      const writers = Array.from({ length: WRITERS }, async () => {
        for (let id = left.shift(); id !== undefined; id = left.shift()) {
          while (!(await isWritten(store, id))) await sleep(20);
          acknowledged.add(id);
        }
      });
      for (const share of [0.2, 0.5, 0.8]) await killOnce(server, () => acknowledged.size >= COUNT * share);
      await Promise.all(writers);
      const rows = (await store.read.all<{ id: string }>("select id from ledger")).map(({ id }) => id);
      expect([rows.length, new Set(rows).size, await store.inbox.count(), await store.outbox.depth()]).toEqual([
        COUNT,
        COUNT,
        COUNT,
        COUNT,
      ]);
      await store.close();
    },
  );

  // Without a server there is nothing to break.
  test.skipIf(missing !== undefined)(
    "what waits for an answer while it is away is refused as retryable, and the next call after its return is answered",
    async () => {
      await using server = await ownBroker(kind);
      const store = await opened(storeAt(server.url));
      await server.kill();
      const attempts = [
        store.transaction((tx) => tx.run("select 1")),
        Promise.resolve(store.now()),
        store.effects.begin("e"),
        append(store, "m-1"),
        store.read.all("select 1"),
      ];
      for (const outcome of await Promise.allSettled(attempts))
        expect(outcome).toMatchObject({ status: "rejected", reason: { code: "PR_STORE_FAILED", retryable: true } });
      await server.start();
      await append(store, "m-1");
      expect(await store.outbox.depth()).toBe(1);
      await store.close();
    },
  );
});

// Without a server there is nothing to freeze.
test.skipIf(missingOwn("postgres") !== undefined)(
  "a PostgreSQL server that answers no more holds nobody for longer than its limit",
  async () => {
    // Without a server there is nothing to freeze.
    await using server = await ownBroker("postgres");
    const store = await opened(postgresStores({ url: server.url, statementTimeoutMs: 500 })("billing"));
    await store.now();
    await server.freeze();
    await expect(store.transaction((tx) => tx.run("select 1"))).rejects.toMatchObject({ code: "PR_STORE_FAILED", retryable: true });
    await server.thaw();
    expect(await store.transaction((tx) => tx.get("select 1 as one"))).toEqual({ one: 1 });
    await store.close();
  },
);

async function opened(store: Store): Promise<Store> {
  await store.open();
  return store;
}

async function killOnce(server: OwnBroker, isTime: () => boolean): Promise<void> {
  while (!isTime()) await sleep(5);
  await server.kill();
  await sleep(200);
  await server.start();
}

/** One unit of work, as a handler's: false when it must be tried again. */
async function isWritten(store: Store, id: string): Promise<boolean> {
  try {
    await store.transaction(async (tx) => {
      if ((await tx.inbox.record({ handler: "h", messageId: id, bodyHash: "b" })) !== "first") return;
      await tx.run("insert into ledger (id) values (?)", id);
      await tx.outbox.append([message(id)]);
    });
    return true;
  } catch {
    return false;
  }
}

async function append(store: Store, id: string): Promise<void> {
  await store.transaction((tx) => tx.outbox.append([message(id)]));
}

function message(id: string): Parameters<Parameters<Parameters<Store["transaction"]>[0]>[0]["outbox"]["append"]>[0][number] {
  const envelope = {
    id,
    source: "/s",
    type: "order.placed",
    kind: "event",
    contractversion: 1,
    time: "2026-01-01T00:00:00.000Z",
    partitionkey: id,
  } as const;
  return { destination: "order.events", mayRepeat: false, envelope, headers: NO_HEADERS, body: id };
}
