import { describe, expect, test } from "vitest";
import { Places } from "./places.ts";

describe("places", () => {
  test("who goes first is before those that came earlier, and every fourth place is one of theirs", async () => {
    const places = new Places(1);
    const leave = await places.enter(false);
    const entered: string[] = [];
    const visit = async (name: string, goesFirst: boolean): Promise<void> => {
      const leaveAgain = await places.enter(goesFirst);
      entered.push(name);
      leaveAgain();
    };
    const visits = [...["a", "b"].map((name) => visit(name, false)), ...["1", "2", "3", "4", "5"].map((name) => visit(name, true))];
    leave();
    await Promise.all(visits);
    expect(entered).toEqual(["1", "2", "3", "a", "4", "5", "b"]);
  });
});
