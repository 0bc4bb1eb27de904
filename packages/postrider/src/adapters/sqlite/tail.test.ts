import { expect, test } from "vitest";
import { NO_HEADERS } from "../../envelope/envelope.ts";
import { Tail } from "./tail.ts";
import type { LogMessage } from "../../lanes/log-delivery.ts";

function stored(position: number, bytes = 100): LogMessage {
  return {
    position,
    lane: 0,
    type: "order.placed",
    bytes,
    storedAt: 0,
    mayRepeat: false,
    envelope: undefined,
    headers: NO_HEADERS,
    body: "",
  };
}

function positionsAfter(tail: Tail, position: number, upTo = Infinity): readonly number[] {
  const taken: number[] = [];
  tail.walk(position, upTo, (message) => taken.push(message.position) > 0);
  return taken;
}

test("a tail covers what follows where it began, and nothing before", () => {
  const tail = new Tail();
  tail.restart(10);
  tail.extend([stored(11), stored(12)], 12);
  expect([9, 10, 11, 12].map((position) => tail.covers(position))).toEqual([false, true, true, false]);
  expect(positionsAfter(tail, 10)).toEqual([11, 12]);
  expect(positionsAfter(tail, 11)).toEqual([12]);
});

test("a tail that has no message of a commit still knows how far the log reaches", () => {
  const tail = new Tail();
  tail.restart(0);
  tail.extend([stored(1)], 5);
  expect(tail.covers(3)).toBe(true);
  expect(tail.walk(1, 5, () => true)).toBe(5);
});

test("a walk ends before the message that is refused, and at the position that is given", () => {
  const tail = new Tail();
  tail.restart(0);
  tail.extend([stored(1), stored(2), stored(3)], 3);
  expect(tail.walk(0, 3, ({ position }) => position < 2)).toBe(1);
  expect(positionsAfter(tail, 0, 2)).toEqual([1, 2]);
});

test("a tail forgets its oldest messages when they are too many or too large", () => {
  const tail = new Tail();
  tail.restart(0);
  tail.extend(
    Array.from({ length: 5000 }, (_, at) => stored(at + 1)),
    5000,
  );
  expect(tail.base).toBe(904);
  expect(tail.covers(903)).toBe(false);
  tail.extend([stored(5001, 4 * 1024 * 1024)], 5001);
  expect(positionsAfter(tail, tail.base)).toEqual([5001]);
});

test("what all have read is forgotten", () => {
  const tail = new Tail();
  tail.restart(0);
  tail.extend([stored(1), stored(2), stored(3)], 3);
  tail.dropTo(2);
  expect([tail.base, tail.covers(1), tail.covers(2)]).toEqual([2, false, true]);
  tail.dropTo(Infinity);
  expect([tail.base, tail.covers(3)]).toEqual([3, false]);
});
