import { expect, test } from "vitest";
import { fail } from "../base/errors.ts";
import { seededRandom } from "../base/random.ts";
import { decide, DEFAULT_RETRY, failureOf } from "./policy.ts";
import type { Decision } from "./policy.ts";

const NO_JITTER = { next: () => 0 };
const decisions = (error: unknown, policy = DEFAULT_RETRY): Decision[] =>
  [1, 2, 3, 4, 5, 6, 7].map((failures) => decide(policy, failureOf(error), failures, NO_JITTER));

test("a failure is retried at once, then later and later, then given up", () => {
  const later = (delayMs: number): Decision => ({ do: "retryLater", delayMs });
  expect(decisions(new Error("no"))).toEqual([
    { do: "retryNow" },
    later(1000),
    later(2000),
    later(4000),
    later(8000),
    { do: "giveUp" },
    { do: "giveUp" },
  ]);
});

test("jitter only ever lengthens a wait", () => {
  const random = seededRandom(7);
  for (let round = 0; round < 1000; round++) {
    const decision = decide(DEFAULT_RETRY, failureOf(new Error("no")), 3, random);
    expect(decision.do === "retryLater" && decision.delayMs >= 2000 && decision.delayMs <= 2400).toBe(true);
  }
});

test("a code may be never retried, or always", () => {
  const policy = { ...DEFAULT_RETRY, byCode: { "payment.rejected": "never", EAWAY: "always" } as const };
  expect(decisions(Object.assign(new Error("no"), { code: "payment.rejected" }), policy)[0]).toEqual({ do: "giveUp" });
  expect(decisions(Object.assign(new Error("no"), { code: "EAWAY" }), policy).at(-1)?.do).toBe("retryLater");
});

test("what cannot come out differently is given up at once", () => {
  expect(decide(DEFAULT_RETRY, failureOf(fail("PR_BODY_INVALID", {})), 1, NO_JITTER)).toEqual({ do: "giveUp" });
});

const hostile: readonly [string, unknown][] = [
  ["null", null],
  ["undefined", undefined],
  ["a text", "boom"],
  ["a frozen object", Object.freeze({ code: 7 })],
  [
    "a circular object",
    (() => {
      const loop: Record<string, unknown> = {};
      loop["self"] = loop;
      return loop;
    })(),
  ],
  [
    "an object whose getters throw",
    Object.defineProperty({}, "code", {
      get: () => {
        throw new Error("ha");
      },
    }),
  ],
  [
    "a revoked proxy",
    (() => {
      const { proxy, revoke } = Proxy.revocable({}, {});
      revoke();
      return proxy;
    })(),
  ],
];

test.each(hostile)("%s that is thrown becomes a failure like any other", (_, thrown) => {
  const failure = failureOf(thrown);
  expect([typeof failure.code, typeof failure.reason]).toEqual(["string", "string"]);
  expect(decide(DEFAULT_RETRY, failure, 1, NO_JITTER)).toEqual({ do: "retryNow" });
});
