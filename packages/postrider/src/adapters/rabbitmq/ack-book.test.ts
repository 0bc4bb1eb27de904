import { expect, test } from "vitest";
import { VirtualClock } from "../../base/virtual-clock.ts";
import { AckBook } from "./ack-book.ts";

function bookOf(maxGap: number = 100) {
  const clock = new VirtualClock();
  const said: string[] = [];
  const book = new AckBook({ ack: (tag, isUpTo) => void said.push(`${isUpTo ? "up to " : ""}${tag}`) }, clock, maxGap);
  return { clock, said, book };
}

test("what is settled without a gap is acknowledged in one", async () => {
  const { clock, said, book } = bookOf();
  for (const tag of [3, 1, 2, 4]) book.settle(tag);
  await clock.advance(1);
  expect(said).toEqual(["up to 4"]);
});

test("what lies beyond a gap goes alone a moment later, and the prefix ends at a tag that is still out", async () => {
  const { clock, said, book } = bookOf();
  for (const tag of [1, 3, 4]) book.settle(tag);
  await clock.advance(1);
  expect(said).toEqual(["up to 1"]);
  await clock.advance(100);
  expect(said).toEqual(["up to 1", "3", "4"]);
  book.settle(2);
  await clock.advance(1);
  expect(said).toEqual(["up to 1", "3", "4", "up to 2"]); // not up to 4: the broker knows that tag no more
  book.settle(5);
  await clock.advance(1);
  expect(said.at(-1)).toBe("up to 5");
});

test("too many beyond a gap do not wait", async () => {
  const { clock, said, book } = bookOf(2);
  for (const tag of [2, 3, 4]) book.settle(tag);
  await clock.advance(1);
  expect(said).toEqual(["2", "3", "4"]);
});

test("a flush says all that is known, and a closed book nothing", async () => {
  const { clock, said, book } = bookOf();
  for (const tag of [1, 2, 5]) book.settle(tag);
  book.flush();
  expect(said).toEqual(["up to 2", "5"]);
  book.close();
  book.settle(3);
  await clock.advance(100);
  expect(said).toHaveLength(2);
});
