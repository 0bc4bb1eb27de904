import { expect, test } from "vitest";
import { fingerprint } from "./fingerprint.ts";
import type { Cause } from "./fingerprint.ts";

const cause = (reason: string, change: Partial<Cause> = {}): string =>
  fingerprint({ service: "payment", contract: "payment.charge", code: "DECLINED", reason, stack: undefined, ...change });

test.each([
  ["numbers", "no stock for 3 pieces after 12.5 s", "no stock for 41 pieces after 0.75 s"],
  ["uuids", "order 019a5b3e-7c1d-7000-8000-0123456789ab is gone", "order 019a5b3f-0001-7abc-9def-fedcba987654 is gone"],
  ["quoted values", `the card "4711" of 'Kim' is over`, `the card "visa" of 'Lee' is over`],
  ["ids with a joint", "order o-17 is unknown", "order o-18b is unknown"],
  ["times", "expired at 2026-03-29T01:00:00.000Z", "expired at 2026-10-25 02:30:00"],
  ["addresses", "kim@example.org bounced", "lee.park@mail.example.com bounced"],
  ["hashes", "object 9f86d081884c7d65 is missing", "object 2c26b46b68ffc68f is missing"],
  ["white space and case", "Connection  refused\n", "connection refused"],
  ["ports and hosts", "connect ECONNREFUSED 10.0.0.7:5432", "connect ECONNREFUSED 10.0.12.31:5433"],
])("one cause is one group, whatever %s it names", (_, one, other) => {
  expect(cause(other)).toBe(cause(one));
});

test("another service, contract, code or reason is another group", () => {
  const groups = [
    cause("refused"),
    cause("refused", { service: "billing" }),
    cause("refused", { contract: "payment.refund" }),
    cause("refused", { code: "TIMEOUT" }),
    cause("timed out"),
  ];
  expect(new Set(groups).size).toBe(5);
});

const stackAt = (where: string): string => `Error: no
    at node:internal/process/task_queues:103:5
    at Client.query (/srv/app/node_modules/pg/lib/client.js:500:1)
    at ${where}
    at async run (file:///srv/app/src/main.ts:3:1)`;

test("of the stack the first own function and file count: not its line, nor the machine's folders", () => {
  const stack = stackAt("async charge (file:///srv/app/src/payment/charge.ts:10:5)");
  expect(cause("no", { stack: stackAt("async charge (/home/kim/app/src/payment/charge.ts:99:1)") })).toBe(cause("no", { stack }));
  expect(cause("no", { stack: stackAt("async refund (file:///srv/app/src/payment/charge.ts:10:5)") })).not.toBe(cause("no", { stack }));
  expect(cause("no", { stack: stackAt("file:///srv/app/src/payment/refund.ts:10:5") })).not.toBe(cause("no", { stack }));
});

test("a hostile reason takes no long time", () => {
  for (const reason of ['"'.repeat(50_000), "a-".repeat(50_000), "1".repeat(50_000), "x@".repeat(50_000), "a.".repeat(50_000)]) {
    expect(cause(reason)).toHaveLength(16);
    expect(cause("no", { stack: `    at ${reason}:1:1` })).toHaveLength(16);
    expect(cause("no", { stack: `${reason}\n    at charge (`.repeat(50) })).toHaveLength(16);
  }
});
