import { expect, test } from "vitest";
import { OutboxFloor } from "./outbox-floor.ts";
import type { FloorLook } from "./outbox-floor.ts";

const look = (last: number, writers: readonly string[] = []): FloorLook => ({ last, writers: new Set(writers) });

function floorFrom(start: number, later: readonly number[] = []): OutboxFloor {
  const floor = new OutboxFloor(start);
  floor.foundLater(later);
  return floor;
}

test("the floor stays before numbers whose writers have not ended, however many come after them", () => {
  const floor = floorFrom(0);
  floor.looked(look(10, ["late"]));
  floor.looked(look(20, ["late", "new"]));
  floor.read(floor.visibleTo, undefined, undefined);
  expect([floor.floor, [...floor.waitsFor]]).toEqual([0, ["late"]]);
  floor.looked(look(30, ["new", "newer"]));
  floor.read(floor.visibleTo, undefined, undefined);
  expect(floor.floor).toBe(10); // what came after the first look may still have writers
  floor.looked(look(40));
  floor.read(floor.visibleTo, undefined, undefined);
  expect(floor.floor).toBe(30);
});

test.each([
  ["a row that was found", 7, undefined, undefined],
  ["a row that is handed out", undefined, 7, undefined],
  ["a row that was put off", undefined, undefined, 7],
])("the floor stays before %s", (_, first, held, later) => {
  const floor = floorFrom(0, later === undefined ? [] : [later]);
  floor.looked(look(10));
  floor.looked(look(10));
  floor.read(floor.visibleTo, first, held);
  expect(floor.floor).toBe(6);
});

test("a row that is put off keeps the floor before it until it is handed out again", () => {
  const floor = floorFrom(0);
  floor.putOff(7);
  floor.looked(look(10));
  floor.looked(look(10));
  floor.read(floor.visibleTo, undefined, undefined);
  expect(floor.floor).toBe(6);
  floor.handedOut(7);
  floor.read(floor.visibleTo, undefined, undefined);
  expect(floor.floor).toBe(10);
});

test("the floor stays where it is until it is known which rows were put off", () => {
  const floor = new OutboxFloor(3);
  floor.looked(look(10));
  floor.looked(look(10));
  floor.read(floor.visibleTo, undefined, undefined);
  expect(floor.floor).toBe(3);
});

test("numbers that begin anew are looked for from the beginning", () => {
  const floor = floorFrom(1000);
  floor.looked(look(3));
  expect(floor.floor).toBe(0);
});

test("a reading begins behind what was read before, but for numbers that may still appear", () => {
  const floor = floorFrom(0);
  floor.looked(look(10));
  floor.looked(look(20, ["late"]));
  floor.read(floor.visibleTo, 3, undefined);
  floor.readTo(floor.visibleTo, 7);
  expect([floor.floor, floor.from]).toEqual([2, 7]); // the rows from 3 to 7 are not sent yet
  floor.readTo(floor.visibleTo, Infinity);
  expect(floor.from).toBe(10);
  floor.forget();
  expect(floor.from).toBe(2);
});

test("while a row is put off, a reading begins at the floor", () => {
  const floor = floorFrom(0, [4]);
  floor.looked(look(10));
  floor.looked(look(20));
  floor.readTo(floor.visibleTo, Infinity);
  expect(floor.from).toBe(0);
  floor.handedOut(4);
  floor.readTo(floor.visibleTo, Infinity);
  expect(floor.from).toBe(10);
});
