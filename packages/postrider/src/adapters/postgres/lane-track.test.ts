import { expect, test } from "vitest";
import { Track } from "./lane-track.ts";

function fetched(track: Track<string>, ...positions: readonly number[]): void {
  for (const position of positions) track.open.set(position, `message ${position}`);
  track.fetchedTo = positions.at(-1)!;
}

test("what finishes in order leaves nothing open", () => {
  const track = new Track<string>({ position: 0, open: [] }, [], false);
  fetched(track, 1, 2, 3);
  track.finish(1);
  track.finish(2);
  expect(track.row()).toEqual({ position: 2, open: [] });
});

test("what is overtaken is stored as open, and the position is the furthest finished", () => {
  const track = new Track<string>({ position: 0, open: [] }, [], false);
  fetched(track, 1, 2, 3, 4);
  track.finish(3);
  expect(track.row()).toEqual({ position: 3, open: [1, 2] });
  expect(track.frontier).toBe(0);
});

test("with nothing open it moves past rows that nobody wanted", () => {
  const track = new Track<string>({ position: 5, open: [] }, [], false);
  expect(track.isBehind).toBe(false);
  track.fetchedTo = 9;
  expect(track.isBehind).toBe(true);
  expect(track.row()).toEqual({ position: 9, open: [] });
  expect(track.isBehind).toBe(false);
});

test("what an earlier owner finished in units of work is not open, nor handed over when it is read", () => {
  const track = new Track<string>({ position: 10, open: [7, 8] }, [8, 12], false);
  expect(track.restored).toEqual([7]);
  expect(track.passes(11)).toBe(false);
  expect(track.passes(12)).toBe(true);
  expect(track.passes(12)).toBe(false);
});

test("what is restored is taken as far as there is room; what is not there any more is not waited for", () => {
  const track = new Track<string>({ position: 10, open: [3, 5, 7] }, [], false);
  expect(track.restore([3, 5, 7], [{ position: 3 }, { position: 7 }], ({ position }) => position !== 7)).toBe(false);
  expect(track.restored).toEqual([5, 7]);
  expect(track.restore([5, 7], [{ position: 7 }], () => true)).toBe(true);
  expect(track.restored).toEqual([]);
  expect(track.open.has(5)).toBe(false);
});

test("a finish that is taken back is open again, in its place", () => {
  const track = new Track<string>({ position: 0, open: [] }, [], false);
  fetched(track, 1, 2, 3);
  track.finish(1);
  track.finish(2);
  track.reopen(1, "message 1");
  expect(track.row()).toEqual({ position: 2, open: [1] });
  expect([...track.open.keys()]).toEqual([1, 3]);
});
