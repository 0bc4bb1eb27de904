import { expect, test } from "vitest";
import { DoneTrack } from "./lane-track.ts";

test("what an earlier owner finished in units of work is not open, nor handed over when it is read", () => {
  const track = new DoneTrack<string>({ position: 10, open: [7, 8] }, [8, 12], false);
  expect(track.restored).toEqual([7]);
  expect(track.passes(11)).toBe(false);
  expect(track.passes(12)).toBe(true);
  expect(track.passes(12)).toBe(false);
});
