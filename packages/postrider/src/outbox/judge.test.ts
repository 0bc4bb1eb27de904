import { expect, test } from "vitest";
import { fail } from "../base/errors.ts";
import { NO_HEADERS } from "../envelope/envelope.ts";
import type { OutboxRow } from "../ports/outbox.ts";
import { judge } from "./judge.ts";

const row = (sequence: number, key: string | undefined, { attempts = 0, destination = "order.events" } = {}): OutboxRow => ({
  sequence,
  fence: 1,
  attempts,
  message: {
    envelope: {
      id: `m-${sequence}`,
      source: "/s",
      type: "order.placed",
      kind: "event",
      contractversion: 1,
      time: "2026-01-01T00:00:00.000Z",
      ...(key === undefined ? {} : { partitionkey: key }),
    },
    headers: NO_HEADERS,
    body: "{}",
    destination,
    mayRepeat: false,
  },
});
const away = fail("PR_OUTCOME_UNKNOWN", { transport: "t", count: 1, deadlineMs: 1 });
const tooLarge = fail("PR_BODY_TOO_LARGE", { contract: "order.placed", bytes: 2, limit: 1 });
const closed = fail("PR_STORE_CLOSED", { store: "s", during: "send" });

const numbers = (rows: readonly OutboxRow[] | undefined): readonly number[] | undefined => rows?.map(({ sequence }) => sequence);

test("what is confirmed is done, what failed goes again, what can never be sent is poison", () => {
  const judged = judge([row(1, "a"), row(2, "b"), row(3, "c")], [undefined, away, tooLarge]);
  expect(numbers(judged.done)).toEqual([1]);
  expect(numbers(judged.again.get(0))).toEqual([2]);
  expect(judged.poison).toMatchObject([{ row: { sequence: 3 }, error: tooLarge }]);
});

test("rows behind a failed one of their key go again with it; other keys, other destinations and rows without key do not", () => {
  const rows = [
    row(1, "a"),
    row(2, "a"),
    row(3, "b"),
    row(4, "a", { destination: "order.commands" }),
    row(5, undefined),
    row(6, undefined),
    row(7, "a"),
  ];
  const judged = judge(rows, [undefined, away, undefined, undefined, away, undefined, undefined]);
  expect(numbers(judged.done)).toEqual([1, 3, 4, 6]);
  expect(numbers(judged.again.get(0))).toEqual([2, 5, 7]);
});

test("rows behind a failed one wait as long as it does, however often they were tried themselves", () => {
  const judged = judge([row(1, "a", { attempts: 4 }), row(2, "a"), row(3, "b", { attempts: 1 })], [away, undefined, away]);
  expect([...judged.again].map(([attempts, rows]) => [attempts, numbers(rows)])).toEqual([
    [4, [1, 2]],
    [1, [3]],
  ]);
});

test("rows behind a poison one wait for nobody", () => {
  const judged = judge([row(1, "a"), row(2, "a")], [tooLarge, undefined]);
  expect(numbers(judged.done)).toEqual([2]);
});

test("an error of the process condemns no message, though it is not retryable", () => {
  const judged = judge([row(1, "a")], [closed]);
  expect(judged.poison).toEqual([]);
  expect(numbers(judged.again.get(0))).toEqual([1]);
});
