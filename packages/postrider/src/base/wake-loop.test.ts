import { expect, test } from "vitest";
import { deferred } from "./deferred.ts";
import { VirtualClock } from "./virtual-clock.ts";
import { WakeLoop } from "./wake-loop.ts";

test("a round runs at the start, and then after each wait that the last one asked for", async () => {
  const clock = new VirtualClock(0);
  const at: number[] = [];
  const loop = new WakeLoop({ clock, round: async () => (at.push(clock.now()), at.length * 10) });
  await clock.advance(100);
  expect(at).toEqual([]);
  loop.start();
  loop.start();
  await clock.advance(65);
  expect(at).toEqual([100, 110, 130, 160]);
  await loop.stop();
});

test("a wake ends the wait, and many wakes during a round mean one more", async () => {
  const clock = new VirtualClock(0);
  let rounds = 0;
  const gate = deferred();
  const loop = new WakeLoop({ clock, round: async () => (++rounds === 2 ? (await gate.promise, 1000) : 1000) });
  loop.wake();
  loop.start();
  await clock.advance(1);
  loop.wake();
  expect(rounds).toBe(2);
  for (let wakes = 0; wakes < 5; wakes++) loop.wake();
  gate.resolve();
  await clock.advance(1);
  expect(rounds).toBe(3);
  expect(clock.pending).toBe(1);
  await loop.stop();
});

test("a wake in the very moment that a round ends is not lost", async () => {
  const clock = new VirtualClock(0);
  for (let turns = 0; turns < 8; turns++) {
    let rounds = 0;
    const gate = deferred();
    const loop = new WakeLoop({ clock, round: async () => (rounds++, await gate.promise, 1e9) });
    loop.start();
    gate.resolve();
    let moment = Promise.resolve();
    for (let turn = 0; turn < turns; turn++) moment = moment.then(() => undefined);
    await moment.then(() => loop.wake());
    await clock.yield();
    expect(rounds).toBe(2);
    await loop.stop();
  }
});

test("a stop waits for the round under way, begins no other and leaves no timer", async () => {
  const clock = new VirtualClock(0);
  const gate = deferred();
  let rounds = 0;
  const loop = new WakeLoop({ clock, round: async () => (rounds++, await gate.promise, 10) });
  loop.start();
  loop.wake();
  let isStopped = false;
  const stopping = Promise.all([loop.stop(), loop.stop()]).then(() => (isStopped = true));
  await clock.advance(50);
  expect(isStopped).toBe(false);
  gate.resolve();
  await stopping;
  loop.wake();
  await clock.advance(50);
  expect([rounds, clock.pending]).toEqual([1, 0]);
});
