import { expect, test } from "vitest";
import { PublishBacklog } from "./publish-backlog.ts";
import type { PendingPublish } from "./publish-backlog.ts";

const LIMITS = { windowCount: 3, windowBytes: 10_000, maxWaitingBytes: 50_000 };

function message(name: string, bytes: number = 10): PendingPublish {
  const route = { exchange: "e", routingKey: name, contract: "c", destination: "d", options: {}, settle: () => undefined };
  return { ...route, content: Buffer.alloc(bytes), deadlineAt: 0, deadlineMs: 0, isSettled: false, isWritten: false };
}

/** Writes what may be written; the number of each one's publish is its place in the alphabet. */
function drain(backlog: PublishBacklog): string[] {
  const names: string[] = [];
  for (let next = backlog.next(); next !== undefined; next = backlog.next()) {
    names.push(next.routingKey);
    backlog.wrote(next, numbered(next.routingKey));
  }
  return names;
}

function numbered(name: string): number {
  return name.charCodeAt(0);
}

test("no more is out than the window, in messages and in bytes, but for one alone", () => {
  const backlog = new PublishBacklog(LIMITS);
  const all = ["a", "b", "c", "d"].map((name) => message(name));
  for (const one of all) backlog.add(one);
  expect(drain(backlog)).toEqual(["a", "b", "c"]);
  backlog.confirmed(numbered("b"));
  expect(drain(backlog)).toEqual(["d"]);
  for (const one of all) backlog.confirmed(numbered(one.routingKey));
  backlog.add(message("large", 40_000));
  backlog.add(message("next"));
  expect(drain(backlog)).toEqual(["large"]);
});

test("what was written on a channel that went is first again, in its order, before what waited", () => {
  const backlog = new PublishBacklog(LIMITS);
  const all = ["a", "b", "c", "d", "e"].map((name) => message(name));
  for (const one of all) backlog.add(one);
  drain(backlog);
  backlog.confirmed(numbered("a"));
  expect(drain(backlog)).toEqual(["d"]);
  expect(backlog.takeBack().map(({ routingKey }) => routingKey)).toEqual(["b", "c", "d"]);
  expect(drain(backlog)).toEqual(["b", "c", "d"]);
});

test("what is settled while it waits is never written, and what is settled while it is out keeps its place in the window", () => {
  const backlog = new PublishBacklog({ ...LIMITS, windowCount: 1 });
  const all = ["a", "b", "c"].map((name) => message(name));
  for (const one of all) backlog.add(one);
  expect(drain(backlog)).toEqual(["a"]);
  all[0]!.isSettled = true;
  all[1]!.isSettled = true;
  backlog.dropSettled();
  expect(drain(backlog)).toEqual([]);
  backlog.confirmed(numbered("a"));
  expect(drain(backlog)).toEqual(["c"]);
});

test("too much that waits is refused, but never the first", () => {
  const backlog = new PublishBacklog(LIMITS);
  expect(backlog.add(message("huge", 60_000))).toBe(true);
  expect(backlog.add(message("more", 1))).toBe(false);
  drain(backlog);
  expect(backlog.add(message("more", 1))).toBe(true);
});
