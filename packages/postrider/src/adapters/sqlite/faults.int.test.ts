import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { sqliteWorld } from "../../../../../tests/support/sqlite-file.ts";
import type { SqliteWorld } from "../../../../../tests/support/sqlite-file.ts";
import { deferred } from "../../base/deferred.ts";
import { VirtualClock } from "../../base/virtual-clock.ts";

test("a full disk refuses what has no room, and work goes on once there is room", async () => {
  await using world = await sqliteWorld();
  await world.open("reader");
  await limitPages(world, (await world.number("pragma page_count")) + 8);
  expect(await world.send(world.messages(500, {}, 1000))).toEqual(["PR_STORE_FULL"]);
  expect(await world.number("select count(*) from pr_log_1")).toBe(0);
  await limitPages(world, 1_000_000);
  expect(await world.send(world.messages(500, {}, 1000))).toEqual([undefined]);
  const { all } = await world.consume("reader", 500);
  expect(new Set((await all).map(({ position }) => position)).size).toBe(500);
});

test.each<[who: string, write: (world: SqliteWorld) => Promise<unknown>]>([
  ["a send", (world) => world.send(world.messages(500, {}, 1000))],
  [
    "a transaction",
    (world) => world.store.transaction((tx) => tx.run("insert into business values (zeroblob(500000))")).catch(() => undefined),
  ],
])("while there is no room for %s transport and store say so, and no more once there is, though nobody writes", async (_, write) => {
  const clock = new VirtualClock();
  await using world = await sqliteWorld({ clock });
  await world.open("reader");
  await world.store.transaction((transaction) => transaction.run("create table business (note blob)"));
  const troubles = (): unknown[] => [world.transport.trouble?.(), world.store.trouble?.()];
  const pages = await world.number("pragma page_count");
  await limitPages(world, pages + 4);
  expect(troubles()).toEqual([undefined, undefined]);
  await write(world);
  const text = expect.stringMatching(/^PR_STORE_FULL: There is no space left to write .*app\.db/) as unknown;
  expect(troubles()).toEqual([text, text]);
  await clock.advance(10_000); // leases are written in place, and that succeeds
  expect(troubles()).toEqual([text, text]);
  await limitPages(world, 1_000_000);
  await clock.advance(3_000);
  expect(troubles()).toEqual([undefined, undefined]);
  expect(world.lines.filter(({ code }) => code === "PR_STORE_FULL")).toHaveLength(1);
});

test("a transaction that meets a full disk is rolled back and says so", async () => {
  await using world = await sqliteWorld();
  await world.open("reader");
  await world.store.transaction((transaction) => transaction.run("create table business (note text)"));
  await limitPages(world, (await world.number("pragma page_count")) + 4);
  const attempt = world.store.transaction(async (transaction) => {
    for (let row = 0; row < 500; row++) await transaction.run("insert into business values (?)", "x".repeat(1000));
  });
  await expect(attempt).rejects.toMatchObject({ code: "PR_STORE_FULL", retryable: true });
  await limitPages(world, 1_000_000);
  expect(await world.number("select count(*) from business")).toBe(0);
  await world.store.transaction((transaction) => transaction.run("insert into business values ('after')"));
  expect(await world.number("select count(*) from business")).toBe(1);
});

test("what throws something that cannot be looked at ends its own transaction, and none beside it", async () => {
  await using world = await sqliteWorld();
  await world.open("reader");
  await world.store.transaction((transaction) => transaction.run("create table business (note text)"));
  const strange = [
    Proxy.revocable({}, {}),
    {
      proxy: Object.defineProperty(new Error("its code throws"), "code", { get: () => JSON.parse("no") as unknown }),
      revoke: () => undefined,
    },
  ];
  for (const { proxy, revoke } of strange) {
    revoke();
    const transact = (note: string): Promise<unknown> =>
      world.store.transaction(async (transaction) => {
        await transaction.run("insert into business values (?)", note);
        if (note === "strange") throw proxy as Error;
      });
    const settled = await Promise.allSettled(["before", "strange", "after"].map(transact));
    expect(settled.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  }
  expect(await world.number("select count(*) from business")).toBe(4);
});

test("a file whose lock somebody keeps is not waited for for ever, and the error says who may have it", async () => {
  const clock = new VirtualClock();
  await using world = await sqliteWorld({ clock });
  const shell = new DatabaseSync(world.path);
  shell.exec("begin exclusive");
  const said: string[] = [];
  world.transport.open().catch((error: Error) => said.push(error.message));
  while (said.length === 0) await clock.advance(1000);
  shell.close();
  expect(said[0]).toMatch(/^PR_STORE_FAILED.*another process has kept the file's write lock for 60 s/);
});

test("a file of a newer release is refused and left as it is", async () => {
  await using world = await sqliteWorld();
  await world.open();
  await world.store.transaction((transaction) => transaction.run("update pr_meta set value = 99 where key = 'schema_version'"));
  await world.transport.close();
  await world.store.close();
  await expect(world.transport.open()).rejects.toMatchObject({ code: "PR_STORE_VERSION", details: { found: 99 } });
});

test("a failed sync acknowledges nothing, and everything is refused from then on", async () => {
  await using world = await sqliteWorld();
  await world.open("reader");
  makeUnsyncable(syncDescriptor(world.path));
  expect(await world.send(world.messages(1))).toEqual(["PR_STORE_SYNC_FAILED"]);
  expect(await world.send(world.messages(1))).toEqual(["PR_STORE_SYNC_FAILED"]);
  await expect(world.store.transaction((transaction) => transaction.run("create table business (note text)"))).rejects.toMatchObject({
    code: "PR_STORE_SYNC_FAILED",
  });
  expect(world.lines.map(({ code }) => code)).toContain("PR_STORE_SYNC_FAILED");
});

test.each(["", "-wal"])("a file whose %j part is deleted while it is open takes nothing more, and is not well", async (part) => {
  const clock = new VirtualClock();
  await using world = await sqliteWorld({ clock });
  await world.open("reader");
  const { consumption } = await world.consume("reader", 1);
  expect((await consumption.inspect()).backlog).toBe(0);
  rmSync(`${world.path}${part}`);
  while (world.lines.length === 0) await clock.advance(1000);
  expect(world.lines).toMatchObject([{ code: "PR_STORE_CORRUPT" }]);
  expect(await world.send(world.messages(1))).toEqual(["PR_STORE_CORRUPT"]);
  await expect(consumption.inspect()).rejects.toMatchObject({ code: "PR_STORE_CORRUPT" });
});

test("a transaction that is held long is reported", async () => {
  const clock = new VirtualClock();
  await using world = await sqliteWorld({ clock });
  await world.open();
  await world.store.transaction(() => clock.advance(150));
  expect(world.lines.map(({ code }) => code)).toContain("PR_TRANSACTION_HELD");
});

test("a transaction that does not come to its end is reported while it lasts, once, by its service", async () => {
  const clock = new VirtualClock();
  await using world = await sqliteWorld({ clock });
  await world.open();
  const endless = deferred();
  const held = world.store.transaction(() => endless.promise);
  await clock.advance(5000);
  expect(world.lines).toMatchObject([{ code: "PR_TRANSACTION_HELD", service: "reader" }]);
  endless.resolve();
  await clock.advance(100);
  await held;
});

test("a send that cannot be written by its deadline says that its outcome is unknown, and is not written later", async () => {
  const clock = new VirtualClock();
  await using world = await sqliteWorld({ clock });
  await world.open();
  const blocker = deferred();
  const held = world.store.transaction(() => blocker.promise);
  const sending = world.transport.send(world.messages(2), { deadlineMs: 500 });
  await clock.advance(700);
  expect((await sending).map((outcome) => outcome?.code)).toEqual(["PR_OUTCOME_UNKNOWN", "PR_OUTCOME_UNKNOWN"]);
  blocker.resolve();
  await held;
  expect(await world.send(world.messages(1))).toEqual([undefined]);
  expect(await world.number("select count(*) from pr_log_1")).toBe(1);
});

test("a statement that would end the transaction is refused", async () => {
  await using world = await sqliteWorld();
  await world.open();
  for (const statement of [
    "commit",
    " ROLLBACK",
    "begin",
    "savepoint mine",
    "vacuum",
    "-- note\ncommit",
    "/* */;commit",
    "select 1; select 2",
  ]) {
    await expect(world.store.transaction((transaction) => transaction.run(statement))).rejects.toMatchObject({
      code: "PR_FEATURE_REFUSED",
    });
  }
});

test("a transaction that is over takes nothing more", async () => {
  await using world = await sqliteWorld();
  await world.open();
  const kept = await world.store.transaction((transaction) => ({ transaction }));
  await expect(kept.transaction.run("create table late (a)")).rejects.toMatchObject({ code: "PR_CONTEXT_SEALED" });
  expect(() => kept.transaction.inbox).toThrow("PR_CONTEXT_SEALED");
});

test("acknowledgements that meet a full disk are written once there is room", async () => {
  const clock = new VirtualClock();
  await using world = await sqliteWorld({ clock });
  await world.open("reader");
  await world.send(world.messages(20));
  const taken = await world.consume("reader", 20, () => undefined);
  const deliveries = await taken.all;
  // Cursors with many gaps no longer fit into their page, and there is no other.
  await limitPages(world, await world.number("pragma page_count"));
  await world.store.transaction((transaction) => transaction.run("select 1"));
  const acks = Promise.all(deliveries.map(async (delivery) => delivery.ack()));
  await limitPages(world, 1_000_000);
  await clock.advance(1000);
  await acks;
  expect((await taken.consumption.inspect()).backlog).toBe(0);
});

async function limitPages({ store }: SqliteWorld, pages: number): Promise<void> {
  await store.transaction((transaction) => (transaction.raw as DatabaseSync).exec(`pragma max_page_count = ${pages}`));
}

/**
 * Puts a file that cannot be synced in the place of a descriptor.
 *
 * One that is only closed is given at once to whatever file this process opens next, which is synced in its stead, and well.
 */
function makeUnsyncable(descriptor: number): void {
  closeSync(descriptor);
  const opened = [openSync("/dev/null", "r")];
  while (opened.at(-1)! < descriptor) opened.push(openSync("/dev/null", "r")); // the lowest free number comes first
  expect(opened.pop()).toBe(descriptor);
  for (const other of opened) closeSync(other);
}

/** The adapter's own descriptor of the log: the one that is open for reading only. */
function syncDescriptor(file: string): number {
  const found = readdirSync("/proc/self/fd").find((fd) => {
    try {
      return (
        readlinkSync(`/proc/self/fd/${fd}`) === `${file}-wal` &&
        /^flags:\s*0\d*00000$/m.test(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"))
      );
    } catch {
      return false; // the descriptor of the listing itself
    }
  });
  return Number(found);
}
