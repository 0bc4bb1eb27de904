import { expect, test } from "vitest";
import { JobQueue } from "./job-queue.ts";
import type { Job } from "./turn.ts";

function job(isSend: boolean): Job {
  return { isVolatile: false, isSend, run: () => undefined, durable: () => undefined, failed: () => undefined };
}

test("jobs of a kind keep their order", () => {
  const queue = new JobQueue();
  const jobs = Array.from({ length: 3000 }, () => job(true));
  for (const each of jobs) queue.push(each);
  expect(Array.from({ length: 3000 }, () => queue.shift())).toEqual(jobs);
  expect(queue.shift()).toBeUndefined();
  expect(queue).toHaveLength(0);
});

test("sends wait for other jobs, but one in four is theirs", () => {
  const queue = new JobQueue();
  for (let at = 0; at < 8; at++) queue.push(job(true));
  for (let at = 0; at < 8; at++) queue.push(job(false));
  const order = Array.from({ length: 16 }, () => (queue.shift()!.isSend === true ? "send" : "other"));
  expect(order.slice(0, 10).filter((kind) => kind === "send")).toHaveLength(2);
  expect(order.slice(0, 3)).toEqual(["other", "other", "other"]);
  expect(order.slice(10)).toEqual(Array.from({ length: 6 }, () => "send"));
});

test("what a caller waits for goes before what is delivered, but every second job at most", () => {
  const queue = new JobQueue();
  for (let at = 0; at < 4; at++) queue.push(job(false));
  queue.push(job(true));
  for (let at = 0; at < 3; at++) queue.push({ ...job(false), isAwaited: true });
  const order = Array.from({ length: 8 }, () => queue.shift()!).map((each) =>
    each.isAwaited ? "awaited" : each.isSend ? "send" : "other",
  );
  expect(order).toEqual(["awaited", "other", "awaited", "other", "awaited", "other", "send", "other"]);
});

test("callers alone need not take turns", () => {
  const queue = new JobQueue();
  const jobs = Array.from({ length: 3 }, () => ({ ...job(false), isAwaited: true }));
  for (const each of jobs) queue.push(each);
  expect(Array.from({ length: 3 }, () => queue.shift())).toEqual(jobs);
});

test("what is drained is all that waits", () => {
  const queue = new JobQueue();
  queue.push(job(true));
  queue.push(job(false));
  queue.shift();
  expect(queue.drain()).toHaveLength(1);
  expect(queue).toHaveLength(0);
});
