import { expect, test } from "vitest";
import { deferred } from "../../base/deferred.ts";
import { SharedAsk } from "./shared-ask.ts";

test("what is asked for while a statement is under way goes in the next one, and a key twice in two", async () => {
  const asked: (readonly string[])[] = [];
  const first = deferred();
  const ask = new SharedAsk(async (keys: readonly string[]) => {
    if (asked.push(keys) === 1) await first.promise;
    return keys.length;
  });
  const answers = [ask.of(["a"]), ask.of(["b"])];
  await new Promise((resolve) => void setImmediate(resolve));
  answers.push(ask.of(["c", "d"]), ask.of(["d"]), ask.of(["e"]));
  first.resolve();
  expect(await Promise.all(answers)).toEqual([2, 2, 3, 1, 3]);
  expect(asked).toEqual([["a", "b"], ["c", "d", "e"], ["d"]]);
});

test("a statement that fails fails those that it was for, and no others", async () => {
  let isFirst = true;
  const ask = new SharedAsk(async (keys: readonly string[]) => {
    if (!isFirst) return keys.length;
    isFirst = false;
    throw new Error("away");
  });
  const refused = ask.of(["a"]);
  await expect(refused).rejects.toThrow("away");
  expect(await ask.of(["a"])).toBe(1);
});
