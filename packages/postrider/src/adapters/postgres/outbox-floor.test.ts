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
