import { expect, test } from "vitest";
import { sqliteWorld } from "../../../../../tests/support/sqlite-file.ts";
import type { SqliteWorld } from "../../../../../tests/support/sqlite-file.ts";
import { VirtualClock } from "../../base/virtual-clock.ts";

const ROWS = "select count(*) from pr_log_1";

test("what a subscription has not read is kept, however old and large it is", async () => {
  const clock = new VirtualClock();
  await using world = await sqliteWorld({ clock, retention: { ageMs: 1000, bytes: 1000, messages: 10 } });
  await world.open("fast", "slow");
  await world.send(world.messages(600));
  const fast = await world.consume("fast", 600);
  await fast.all;
  await clock.advance(10_000);
  expect(await world.number(ROWS)).toBe(600);
  const slow = await world.consume("slow", 600);
  expect((await slow.all).map(({ position }) => position).toSorted((a, b) => a - b)).toEqual(
    Array.from({ length: 600 }, (_, at) => at + 1),
  );
  await trimmedTo(world, clock, 1); // the newest row stays: positions go on from it
});

test("read messages go by number and by size", async () => {
  const clock = new VirtualClock();
  await using world = await sqliteWorld({ clock, retention: { messages: 50 } });
  await world.open("reader");
  await world.send(world.messages(400));
  await (
    await world.consume("reader", 400)
  ).all;
  await trimmedTo(world, clock, 50);
  expect(await world.number("select min(position) from pr_log_1")).toBe(351);
});

test("positions are never used twice, also when everything is read and cut", async () => {
  const clock = new VirtualClock();
  await using world = await sqliteWorld({ clock, retention: { messages: 0 } });
  await world.open("reader");
  const positions: number[] = [];
  await world.consume("reader", Infinity, (delivery) => {
    positions.push(delivery.position);
    void delivery.ack();
  });
  for (let round = 1; round <= 5; round++) {
    await world.send([...world.messages(20), ...world.messages(5, { priority: "high" })]);
    while (positions.length < round * 25) await clock.advance(10);
    await clock.advance(1000);
  }
  expect(new Set(positions).size).toBe(125);
  expect(Math.max(...positions)).toBe(125);
});

test("an event that nobody subscribes to goes by age", async () => {
  const clock = new VirtualClock();
  await using world = await sqliteWorld({ clock, retention: { ageMs: 5000 } });
  await world.open();
  await world.send(world.messages(300));
  await clock.advance(2000);
  expect(await world.number(ROWS)).toBe(300);
  await clock.advance(4000);
  await trimmedTo(world, clock, 1);
});

test("the file stays bounded while messages come and go", async () => {
  const clock = new VirtualClock();
  await using world = await sqliteWorld({ clock, retention: { messages: 100 } });
  await world.open("reader");
  const read: number[] = [];
  await world.consume("reader", Infinity, (delivery) => {
    read.push(delivery.position);
    void delivery.ack();
  });
  const pages: number[] = [];
  for (let round = 1; round <= 12; round++) {
    await world.send(world.messages(500, {}, 2000));
    while (read.length < round * 500) await clock.advance(10);
    await trimmedTo(world, clock, 100);
    pages.push(await world.number("pragma page_count"));
  }
  expect(pages.at(-1)).toBeLessThanOrEqual(pages[2]! * 1.1);
});

test("a log is read again from a position and from a time", async () => {
  const clock = new VirtualClock();
  await using world = await sqliteWorld({ clock });
  await world.open("reader");
  await world.send(world.messages(300));
  await clock.advance(60_000);
  await world.send(world.messages(10, { priority: "high" }));
  const read = async (from: Parameters<typeof world.transport.read>[1]["from"]): Promise<number[]> => {
    const positions: number[] = [];
    for await (const { position } of world.transport.read("order.events", { from })) positions.push(position);
    return positions;
  };
  expect(await read("earliest")).toEqual(Array.from({ length: 310 }, (_, at) => at + 1));
  expect(await read({ position: 299 })).toEqual(Array.from({ length: 12 }, (_, at) => at + 299));
  expect(await read({ time: new Date(clock.now() - 1000).toISOString() })).toEqual(Array.from({ length: 10 }, (_, at) => at + 301));
  expect(await read("latest")).toEqual([]);
});

async function trimmedTo(world: SqliteWorld, clock: VirtualClock, rows: number): Promise<void> {
  while ((await world.number(ROWS)) > rows) await clock.advance(100);
  expect(await world.number(ROWS)).toBe(rows);
}
