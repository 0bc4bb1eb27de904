import { expect, test } from "vitest";
import { Track } from "./track.ts";

function reading(...positions: readonly number[]): Track<string> {
  const track = new Track<string>({ position: 0, open: [] }, false);
  for (const position of positions) track.open.set(position, `message ${position}`);
  track.fetchedTo = Math.max(...positions);
  return track;
}

test("messages that finish in order leave nothing open", () => {
  const track = reading(1, 2, 3);
  track.finish(1);
  track.finish(2);
  expect(track.row()).toEqual({ position: 2, open: [] });
});

test("a message that takes long is the only thing that is remembered, however many overtake it", () => {
  const track = reading(...Array.from({ length: 1000 }, (_, at) => at + 1));
  for (let position = 2; position <= 1000; position++) track.finish(position);
  expect(track.row()).toEqual({ position: 1000, open: [1] });
  expect(track.frontier).toBe(0);
  track.finish(1);
  expect(track.row()).toEqual({ position: 1000, open: [] });
});

test("a cursor passes rows that nobody wanted once nothing is open", () => {
  const track = reading(5);
  track.fetchedTo = 90;
  expect(track.isBehind).toBe(false);
  track.finish(5);
  expect(track.isBehind).toBe(true);
  expect(track.row()).toEqual({ position: 90, open: [] });
  expect(track.isBehind).toBe(false);
});

test("a finish that was not committed is open again, in its place", () => {
  const track = reading(1, 2, 3);
  track.finish(2);
  track.finish(1);
  track.reopen(1, "message 1");
  expect(track.row()).toEqual({ position: 2, open: [1] });
  expect([...track.open.positions()]).toEqual([1, 3]);
});

test("what an earlier owner left open is known from its row", () => {
  const track = new Track<string>({ position: 20, open: [7, 12] }, true);
  expect(track.restored).toEqual([7, 12]);
  expect(track.frontier).toBe(6);
  track.open.set(7, "message 7");
  track.finish(7);
  expect(track.row()).toEqual({ position: 20, open: [12] });
});

test("what is restored is taken as far as there is room; what is not there any more is not waited for", () => {
  const track = new Track<string>({ position: 10, open: [3, 5, 7] }, false);
  expect(track.restore([3, 5, 7], [{ position: 3 }, { position: 7 }], ({ position }) => position !== 7)).toBe(false);
  expect(track.restored).toEqual([5, 7]);
  expect(track.restore([5, 7], [{ position: 7 }], () => true)).toBe(true);
  expect(track.restored).toEqual([]);
  expect(track.open.has(5)).toBe(false);
});
