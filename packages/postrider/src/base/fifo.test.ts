import { expect, test } from "vitest";
import { Fifo } from "./fifo.ts";

test("what comes first leaves first, at any length", () => {
  const queue = new Fifo<number>();
  const left: number[] = [];
  for (let at = 0; at < 5000; at++) {
    queue.push(at);
    if (at % 3 === 0) left.push(queue.shift()!);
  }
  while (queue.length > 0) left.push(queue.shift()!);
  expect(left).toEqual(Array.from({ length: 5000 }, (_, at) => at));
  expect(queue.shift()).toBeUndefined();
});

test("what is put back at the front is next", () => {
  const queue = new Fifo<number>();
  for (let at = 0; at < 40; at++) queue.unshift(at);
  queue.push(99);
  expect([queue.length, queue.at(0), queue.at(39), queue.at(40), queue.at(41)]).toEqual([41, 39, 0, 99, undefined]);
});

test("what fits is taken out, and the rest keeps its order", () => {
  const queue = new Fifo<number>();
  for (let at = 0; at < 10; at++) queue.push(at);
  queue.shift();
  expect(queue.evict((item) => item % 2 === 0)).toEqual([2, 4, 6, 8]);
  expect(Array.from({ length: 5 }, () => queue.shift())).toEqual([1, 3, 5, 7, 9]);
});
