import { expect, test } from "vitest";
import { VirtualClock } from "../base/virtual-clock.ts";
import type { HeldReader } from "../ports/held.ts";
import { silentLogger } from "../telemetry/json-logger.ts";
import { HeldSource } from "./held-source.ts";

const START = Date.UTC(2026, 0, 1);

/** A store whose clock is ahead of ours by `skewMs`, and that counts what it is asked. */
function scene(skewMs = 0) {
  const clock = new VirtualClock(START);
  const due: number[] = [];
  const taken: number[] = [];
  const asked = { looks: 0, claims: 0 };
  const held = {
    nextDueAt: () => (asked.looks++, due[0]),
    claimDue: () => {
      asked.claims++;
      return Promise.resolve(due[0] !== undefined && due[0] <= clock.now() + skewMs ? [{ dueAt: due.shift() }] : []);
    },
  } as unknown as HeldReader;
  const take = (): void => void taken.push(clock.now() - START);
  const source = new HeldSource({
    held,
    destination: "order.commands",
    clock,
    logger: silentLogger,
    lanes: () => undefined,
    room: () => 100,
    take,
  });
  return { clock, due, taken, asked, source };
}

test("as long as nothing is held, the store is asked one thing a second", async () => {
  const { clock, asked, source } = scene();
  source.wake();
  await clock.advance(10_500);
  expect(asked).toEqual({ looks: 11, claims: 0 });
  source.stop();
});

test("what is held is taken when it is due, and what another process puts there at the next look", async () => {
  const { clock, due, taken, source } = scene();
  source.wake();
  await clock.advance(500);
  due.push(START + 600, START + 1200);
  await clock.advance(2000);
  expect(taken).toEqual([1000, 1200]);
  source.stop();
});

test("a store whose clock is ahead of ours says what is due", async () => {
  const { clock, due, taken, source } = scene(30_000);
  due.push(START + 30_000);
  source.wake();
  await clock.advance(1000);
  expect(taken).toEqual([0]);
  source.stop();
});
