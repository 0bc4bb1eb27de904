import { expect, test } from "vitest";
import { VirtualClock } from "./virtual-clock.ts";
import { derivedId, laneOf, uuidv7Ids } from "./ids.ts";

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

test("ids are UUIDs of version 7, all different and in the order in which they were made", async () => {
  const clock = new VirtualClock();
  const ids = uuidv7Ids(clock);
  const made: string[] = [];
  for (let ms = 0; ms < 3; ms++) {
    for (let n = 0; n < 5000; n++) made.push(ids.next());
    await clock.advance(1);
  }
  expect(made.every((id) => UUID_V7.test(id))).toBe(true);
  expect(new Set(made).size).toBe(made.length);
  expect(made.every((id, at) => at === 0 || made[at - 1]! < id)).toBe(true);
});

test("an id begins with its time", () => {
  const clock = new VirtualClock(Date.UTC(2026, 10, 21));
  const [high, low] = uuidv7Ids(clock).next().split("-");
  expect(Number.parseInt(`${high}${low}`, 16)).toBe(Date.UTC(2026, 10, 21));
});

test("a derived id is the same for the same parts, another for others, and keeps the time of its cause", () => {
  const cause = uuidv7Ids(new VirtualClock()).next();
  const id = derivedId(cause, "ordering", 1);
  expect(id).toMatch(UUID_V7);
  expect([derivedId(cause, "ordering", 1), id.slice(0, 13)]).toEqual([id, cause.slice(0, 13)]);
  expect(new Set([id, derivedId(cause, "ordering", 2), derivedId(cause, "ordering1"), derivedId("other", "ordering", 1)]).size).toBe(4);
});

test("a key's lane is the same for ever, and keys are spread over all lanes", () => {
  expect(["o-1", "o-2", "", "주문"].map((key) => laneOf(key, 8))).toMatchInlineSnapshot(`
    [
      0,
      1,
      1,
      7,
    ]
  `);
  const counts = Array.from({ length: 8 }, () => 0);
  for (let n = 0; n < 8000; n++) counts[laneOf(`order-${n}`, 8)]!++;
  expect(counts.every((count) => count > 800 && count < 1200)).toBe(true);
});
