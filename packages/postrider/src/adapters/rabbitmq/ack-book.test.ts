import { expect, test } from "vitest";
import { VirtualClock } from "../../base/virtual-clock.ts";
import { AckBook, AckPulse } from "./ack-book.ts";

function bookOf(maxWaiting: number = 100) {
  const clock = new VirtualClock();
  const said: string[] = [];
  const book = new AckBook({ ack: (tag, isUpTo) => void said.push(`${isUpTo ? "up to " : ""}${tag}`) }, new AckPulse(clock), maxWaiting);
  return { clock, said, book };
}

test("what is settled without a gap is acknowledged in one", async () => {
  const { clock, said, book } = bookOf();
  for (const tag of [3, 1, 2]) book.settle(tag);
  await clock.advance(20);
  book.settle(4);
  expect(said).toEqual([]);
  await clock.advance(10);
  expect(said).toEqual(["up to 4"]);
  book.settle(5);
  await clock.advance(30);
  expect(said).toEqual(["up to 4", "up to 5"]);
});

test("what lies beyond a gap goes alone, and the prefix ends at a tag that is still out", async () => {
  const { clock, said, book } = bookOf();
  for (const tag of [1, 3, 4]) book.settle(tag);
  await clock.advance(30);
  expect(said).toEqual(["up to 1", "3", "4"]);
  book.settle(2);
  await clock.advance(30);
  expect(said).toEqual(["up to 1", "3", "4", "up to 2"]); // not up to 4: the broker knows that tag no more
  book.settle(5);
  await clock.advance(30);
  expect(said.at(-1)).toBe("up to 5");
});

test("too many do not wait: what has no gap goes first, and the others only if they are too many by themselves", async () => {
  const { clock, said, book } = bookOf(2);
  for (const tag of [1, 2, 4]) book.settle(tag);
  await clock.advance(1);
  expect(said).toEqual(["up to 2"]);
  for (const tag of [5, 6]) book.settle(tag);
  await clock.advance(1);
  expect(said).toEqual(["up to 2", "4", "5", "6"]);
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

test("books of one pulse speak at the same moment, and one that spoke before has nothing to add", async () => {
  const clock = new VirtualClock();
  const pulse = new AckPulse(clock);
  const said: string[] = [];
  const [one, two] = ["one", "two"].map((name) => new AckBook({ ack: (tag) => void said.push(`${name} ${tag}`) }, pulse, 100));
  one!.settle(1);
  await clock.advance(20);
  two!.settle(1);
  one!.flush();
  expect(said).toEqual(["one 1"]);
  await clock.advance(10);
  expect(said).toEqual(["one 1", "two 1"]);
});
