import { expect, test } from "vitest";
import { seededRandom } from "../../base/random.ts";
import { VirtualClock } from "../../base/virtual-clock.ts";
import { Fetcher } from "./fetcher.ts";
import type { FetchReader } from "./fetcher.ts";
import type { FetchCall, Fetched, FetchPool } from "./fetch-pool.ts";
import type { Topic, TopicDirectory } from "./topic-directory.ts";

const TOPIC: Topic = { name: "order.events", id: "", partitions: 1, leaders: [1], leaderEpochs: [0] };

/** A fetcher whose brokers answer when they are told to. */
function fetcherOf(take: (fetcher: Fetcher) => void) {
  const clock = new VirtualClock();
  const asked: FetchCall[] = [];
  const answers: ((fetched: Fetched) => void)[] = [];
  const pool: Pick<FetchPool, "fetch"> = {
    fetch(call) {
      asked.push(call);
      return new Promise((resolve) => answers.push(resolve));
    },
  };
  const topics: Pick<TopicDirectory, "ask"> = { ask: () => Promise.resolve(TOPIC) };
  const reader: FetchReader = {
    targets: () => [{ partition: 0, offset: asked.length }],
    isHoldingBack: () => false,
    take: () => take(fetcher),
    onError: () => undefined,
  };
  const fetcher: Fetcher = new Fetcher({
    clock,
    random: seededRandom(1),
    pool: pool as FetchPool,
    topics: topics as TopicDirectory,
    topic: TOPIC,
    reader,
  });
  const part = { partition: 0, from: 0, records: [], next: 1, end: 1, isGone: false };
  const answer = async (isWhole = true): Promise<void> => {
    answers.shift()!({ parts: [part], isWhole });
    await clock.advance(0);
  };
  return { fetcher, clock, asked, answer };
}

test("who takes what has come may ask for more before it is handled, and has one request under way", async () => {
  const askedWhenTaken: number[] = [];
  const { fetcher, asked, answer } = fetcherOf((one) => {
    one.wake();
    askedWhenTaken.push(asked.length);
  });
  fetcher.wake();
  fetcher.wake();
  expect(asked.length).toBe(1);
  await answer();
  fetcher.wake();
  expect([askedWhenTaken, asked.length]).toEqual([[2], 2]);
  await answer();
  expect([askedWhenTaken, asked.length]).toEqual([[2, 3], 3]);
});

test.for([
  ["its leader has moved", false, () => undefined],
  ["who takes it fails behind the next request", true, failBehindNext],
] as const)("after a while there is one request under way again: %s", async ([, isWhole, take]) => {
  const { fetcher, clock, asked, answer } = fetcherOf(take);
  fetcher.wake();
  await answer(isWhole);
  await clock.advance(2000);
  fetcher.wake();
  await clock.advance(2000);
  expect(asked.length).toBe(2);
});

function failBehindNext(fetcher: Fetcher): never {
  fetcher.wake();
  throw new Error("it cannot be taken");
}
