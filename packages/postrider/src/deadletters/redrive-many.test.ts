import { expect, test } from "vitest";
import { memoryWorld } from "../adapters/memory/world.ts";
import { uuidv7Ids } from "../base/ids.ts";
import { VirtualClock } from "../base/virtual-clock.ts";
import { NO_HEADERS } from "../envelope/envelope.ts";
import type { Store } from "../ports/store.ts";
import { deadLetterOf } from "./letter.ts";
import { letterOperations } from "./operations.ts";
import type { RedriveOptions, RedriveResult } from "./types.ts";

const DESTINATION = "payment.commands";

interface Bench {
  readonly clock: VirtualClock;
  readonly store: Store;
  /** Bodies in the order of their handling, with the time. */
  readonly handled: { readonly body: string; readonly at: number }[];
  /** Runs a redrive of all to its end, in virtual time. */
  readonly run: (options?: Partial<RedriveOptions>) => Promise<RedriveResult>;
}

/** Letters with the bodies "0", "1" … and a consumer that handles what is redriven, every 10 ms; `failing` ones fail for good again, and nothing hears `deaf` ones. */
async function bench(
  letters: number,
  { failing = () => false, deaf = () => false }: { failing?: (body: string) => boolean; deaf?: (body: string) => boolean } = {},
): Promise<Bench> {
  const clock = new VirtualClock(0);
  const ids = uuidv7Ids(clock);
  const store = memoryWorld({ clock }).store("payment");
  const giveUp = (body: string, redrives: number) => {
    const envelope = {
      id: `m-${body}`,
      source: "/s",
      type: "payment.charge",
      kind: "command",
      contractversion: 1,
      time: "2026-01-01T00:00:00.000Z",
    } as const;
    const failure = { code: "DECLINED", reason: "declined", stack: undefined };
    return deadLetterOf({
      id: ids.next(),
      service: "payment",
      list: "failed",
      found: { envelope, headers: NO_HEADERS, body },
      destination: DESTINATION,
      lane: 0,
      key: undefined,
      isOrdered: false,
      failure,
      attempts: 1,
      at: clock.now(),
      redrives,
    });
  };
  for (let count = 0; count < letters; count++) {
    await clock.advance(1);
    await store.transaction((transaction) => transaction.deadLetters.add(giveUp(String(count), 0)));
  }
  const handled: { body: string; at: number }[] = [];
  const consume = async (): Promise<void> => {
    for (const held of await store.held.claimDue({ destination: DESTINATION, lanes: undefined, limit: 1000, leaseMs: 1e6 })) {
      const body = String(held.body);
      if (deaf(body)) continue;
      await store.transaction(async (transaction) => {
        await transaction.held.complete(held);
        if (failing(body)) await transaction.deadLetters.add(giveUp(body, held.redrives));
        else handled.push({ body, at: clock.now() });
      });
    }
    clock.after(10, () => void consume());
  };
  const run = async (options: Partial<RedriveOptions> = {}): Promise<RedriveResult> => {
    const operations = letterOperations({
      stores: new Map([["payment", store]]),
      clock,
      ids,
      encodeBody: () => "",
      enlist: () => expect.unreachable(),
    });
    void consume();
    const ended: RedriveResult[] = [];
    void operations.redriveMany({ filter: {}, ...options }).then((result) => ended.push(result));
    for (let steps = 0; ended.length === 0 && steps < 1000; steps++) await clock.advance(100);
    return ended[0]!;
  };
  return { clock, store, handled, run };
}

test("all are redriven, oldest first, at the rate, after the canary was handled", async () => {
  const { run, handled } = await bench(21);
  expect(await run({ ratePerSecond: 10 })).toEqual({ redriven: 21, handled: 21, failedAgain: 0, open: 0, stopped: "done" });
  expect(handled.map(({ body }) => Number(body))).toEqual([...Array(21).keys()]);
  expect(handled[20]!.at - handled[1]!.at).toBeGreaterThanOrEqual(1900);
});

test("a canary that fails again stops it: nothing else is touched", async () => {
  const { run, store } = await bench(10, { failing: (body) => body === "1" });
  expect(await run({ canary: 3 })).toEqual({ redriven: 3, handled: 2, failedAgain: 1, open: 0, stopped: "canaryFailed" });
  expect(await store.deadLetters.count({})).toBe(8);
});

test("a canary without an outcome in time stops it too", async () => {
  const { run, store } = await bench(10, { deaf: () => true });
  expect(await run({ outcomeTimeoutMs: 2000 })).toEqual({ redriven: 1, handled: 0, failedAgain: 0, open: 1, stopped: "canaryFailed" });
  expect(await store.deadLetters.count({})).toBe(9);
});

test("it stops when too many fail again, and what fails again is not redriven a second time", async () => {
  const { run, store } = await bench(200, { failing: (body) => Number(body) >= 5 });
  const result = await run({ ratePerSecond: 20, stopAtFailureRatio: 0.5 });
  expect(result).toMatchObject({ stopped: "tooManyFailures", handled: 5 });
  expect(result.redriven).toBeLessThan(30);
  expect(await store.deadLetters.count({})).toBe(195);
  const again = await store.deadLetters.list({}, { limit: 1000 });
  expect(new Set(again.map(({ redrives }) => redrives))).toEqual(new Set([0, 1]));
});

test("fewer failures than the limit do not stop it", async () => {
  const { run } = await bench(40, { failing: (body) => Number(body) % 4 === 3 });
  expect(await run({ ratePerSecond: 100, canary: 0 })).toEqual({ redriven: 40, handled: 30, failedAgain: 10, open: 0, stopped: "done" });
});

test("an abort ends it at once; what is redriven runs on and counts as open", async () => {
  const { run, clock, store, handled } = await bench(50);
  const aborting = new AbortController();
  clock.after(1015, () => aborting.abort());
  const result = await run({ ratePerSecond: 10, signal: aborting.signal });
  expect(result.stopped).toBe("aborted");
  expect(result.redriven).toBeLessThan(12);
  expect(result.handled + result.open).toBe(result.redriven);
  await clock.advance(100);
  expect(handled).toHaveLength(result.redriven);
  expect(await store.deadLetters.count({})).toBe(50 - result.redriven);
});

test("what somebody else has purged meanwhile is not counted", async () => {
  const { run, clock, store } = await bench(10);
  const purgeNewest = async (): Promise<void> => {
    for (const { id } of await store.deadLetters.list({}, { limit: 3 }))
      await store.transaction((transaction) => transaction.deadLetters.remove(id));
  };
  clock.after(500, () => void purgeNewest());
  expect(await run({ ratePerSecond: 5 })).toMatchObject({ redriven: 7, handled: 7, stopped: "done" });
});
