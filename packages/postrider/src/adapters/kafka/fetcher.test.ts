import { expect, test } from "vitest";
import { seededRandom } from "../../base/random.ts";
import { VirtualClock } from "../../base/virtual-clock.ts";
import { Fetcher } from "./fetcher.ts";
import type { FetchReader } from "./fetcher.ts";
import type { FetchCall, Fetched, FetchPool } from "./fetch-pool.ts";
import type { FetchTarget } from "./fetch-request.ts";
import type { Topic, TopicDirectory } from "./topic-directory.ts";

const TOPIC: Topic = { name: "order.events", id: "", partitions: 2, leaders: [1, 1], leaderEpochs: [0, 0] };

/** A fetcher whose brokers answer when they are told to. */
function fetcherOf(take: (fetcher: Fetcher) => void, targets?: () => readonly FetchTarget[]) {
  const clock = new VirtualClock();
  const asked: FetchCall[] = [];
  const answers: ((fetched: Fetched) => void)[] = [];
  let answered = 0;
  const pool: Pick<FetchPool, "fetch"> = {
    fetch(call) {
      asked.push(call);
      return new Promise((resolve) => answers.push(resolve));
    },
  };
  const topics: Pick<TopicDirectory, "ask"> = { ask: () => Promise.resolve(TOPIC) };
  const reader: FetchReader = {
    targets: targets ?? (() => [{ partition: 0, offset: answered }]),
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
  const answer = async (isWhole = true, at = 0): Promise<void> => {
    answered++;
    answers.splice(at, 1)[0]!({ parts: [part], isWhole });
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

test("what comes to be wanted while a request waits is asked for beside it, briefly, until both can be asked for together", async () => {
  let targets: readonly FetchTarget[] = [{ partition: 0, offset: 5 }];
  const { fetcher, asked, answer } = fetcherOf(
    () => undefined,
    () => targets,
  );
  fetcher.wake();
  targets = [...targets, { partition: 1, offset: 7 }];
  fetcher.wake();
  fetcher.wake();
  expect(asked.map((call) => call.targets)).toEqual([[targets[0]], [targets[1]]]);
  expect(asked[1]!.maxWaitMs).toBeLessThan(asked[0]!.maxWaitMs);
  await answer(true, 1);
  expect(asked.slice(2).map((call) => call.targets)).toEqual([[targets[1]]]);
  await answer(true, 0);
  expect(asked.slice(3).map((call) => call.targets)).toEqual([targets]);
  targets = [targets[0]!, { partition: 1, offset: 9 }]; // it was sought, or came back from somebody else
  await answer(true, 0);
  expect(asked.slice(4).map((call) => call.targets)).toEqual([[targets[1]]]);
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
