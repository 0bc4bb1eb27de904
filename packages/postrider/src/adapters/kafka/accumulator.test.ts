import { expect, test } from "vitest";
import { fail } from "../../base/errors.ts";
import { seededRandom } from "../../base/random.ts";
import { VirtualClock } from "../../base/virtual-clock.ts";
import { Accumulator } from "./accumulator.ts";
import type { BatchSink } from "./accumulator.ts";
import type { PartQueue } from "./part-queue.ts";
import { SendCall } from "./send-call.ts";

interface Request {
  readonly node: number;
  readonly parts: Record<string, string[]>;
  readonly answer: (codes: Record<string, number> | Error) => void;
}

/** A broker that answers when the test wants. */
class Broker implements BatchSink {
  readonly requests: Request[] = [];
  readonly renewals: number[] = [];
  leaders: Record<string, number> = {};

  leaderOf(topic: string, partition: number): number {
    return this.leaders[`${topic}/${partition}`] ?? 1;
  }

  write(node: number, parts: readonly PartQueue[]): Promise<ReadonlyMap<string, number>> {
    const { promise, resolve, reject } = Promise.withResolvers<ReadonlyMap<string, number>>();
    const written = Object.fromEntries(parts.map((part) => [part.name, part.batch.map(({ record }) => String(record))]));
    const answer = (codes: Record<string, number> | Error): void =>
      codes instanceof Error ? reject(codes) : resolve(new Map(Object.entries(codes)));
    this.requests.push({ node, parts: written, answer });
    return promise;
  }

  refresh(): void {}

  renewIdentity(): void {
    this.renewals.push(this.requests.length);
  }
}

function world(change: { readonly maxRequestMessages?: number; readonly maxBatchBytes?: number; readonly lingerMs?: number } = {}) {
  const clock = new VirtualClock();
  const broker = new Broker();
  const options = {
    clock,
    random: seededRandom(1),
    sink: broker,
    lingerMs: 0,
    maxRequests: 5,
    maxRequestMessages: 500,
    maxRequestBytes: 1_000_000,
    maxBatchBytes: 1_000_000,
  };
  const accumulator = new Accumulator({ ...options, ...change });
  const send = (partition: number, ...texts: string[]): Promise<readonly unknown[]> => {
    const call = new SendCall(texts.length, { deadlineMs: 10_000 }, clock.monotonicMs());
    texts.forEach((text, at) => accumulator.push("t", partition, { record: Buffer.from(text), type: "c", call, at }));
    accumulator.track(call);
    return call.promise.then((outcomes) => outcomes.map((outcome) => outcome?.code));
  };
  return { clock, broker, accumulator, send };
}

test("sends of one turn share a request; what comes while it is under way shares the next, in order", async () => {
  const { clock, broker, send } = world();
  const first = [send(0, "a"), send(0, "b"), send(1, "c")];
  await clock.advance(1);
  expect(broker.requests.map(({ parts }) => parts)).toEqual([{ "t/0": ["a", "b"], "t/1": ["c"] }]);
  const second = [send(0, "d"), send(2, "e"), send(0, "f")];
  await clock.advance(1);
  // Partition 0 waits for its batch; partition 2 does not wait for partition 0.
  expect(broker.requests[1]!.parts).toEqual({ "t/2": ["e"] });
  broker.requests[0]!.answer({ "t/0": 0, "t/1": 0 });
  await clock.advance(1);
  expect(broker.requests[2]!.parts).toEqual({ "t/0": ["d", "f"] });
  broker.requests[1]!.answer({ "t/2": 0 });
  broker.requests[2]!.answer({ "t/0": 0 });
  await clock.advance(1);
  expect(await Promise.all([...first, ...second])).toEqual([[undefined], [undefined], [undefined], [undefined], [undefined], [undefined]]);
});

test("a request is not larger than it may be, and brokers have theirs apart", async () => {
  const { clock, broker, send } = world({ maxRequestMessages: 3 });
  broker.leaders = { "t/1": 2 };
  void send(0, "a", "b", "c", "d");
  void send(1, "x");
  await clock.advance(1);
  expect(broker.requests.map(({ node, parts }) => [node, parts])).toEqual([
    [1, { "t/0": ["a", "b", "c"] }],
    [2, { "t/1": ["x"] }],
  ]);
});

test("a failed partition is sent again by itself: its neighbours in the request are not", async () => {
  const { clock, broker, send } = world();
  const [one, two] = [send(0, "a"), send(1, "b")];
  await clock.advance(1);
  broker.requests[0]!.answer({ "t/0": 0, "t/1": 6 });
  await clock.advance(1);
  expect(await one).toEqual([undefined]);
  void send(1, "later");
  await clock.advance(200);
  expect(broker.requests.slice(1).map(({ parts }) => parts)).toEqual([{ "t/1": ["b"] }]);
  broker.requests[1]!.answer({ "t/1": 0 });
  expect(await two).toEqual([undefined]);
});

test("a broken connection: the same batch goes again until there is an answer, nothing overtakes it", async () => {
  const { clock, broker, send } = world();
  const one = send(0, "a");
  await clock.advance(1);
  const two = send(0, "b");
  for (let round = 0; round < 5; round++) {
    broker.requests.at(-1)!.answer(new Error("connection lost"));
    await clock.advance(1500);
  }
  expect(broker.requests.map(({ parts }) => parts["t/0"])).toEqual(Array.from({ length: 6 }, () => ["a"]));
  broker.requests.at(-1)!.answer({ "t/0": 46 }); // it was written long ago
  await clock.advance(1);
  broker.requests.at(-1)!.answer({ "t/0": 0 });
  await clock.advance(1);
  expect([await one, await two]).toEqual([[undefined], [undefined]]);
});

test("a message that the broker refuses is found by sending each alone; its neighbours are written once", async () => {
  const { clock, broker, send } = world();
  const sent = [send(0, "a"), send(0, "large"), send(0, "c")];
  await clock.advance(1);
  broker.requests[0]!.answer({ "t/0": 10 });
  for (const code of [0, 10, 0]) {
    await clock.advance(1);
    broker.requests.at(-1)!.answer({ "t/0": code });
  }
  await clock.advance(1);
  expect(broker.requests.slice(1).map(({ parts }) => parts["t/0"])).toEqual([["a"], ["large"], ["c"]]);
  expect(await Promise.all(sent)).toEqual([[undefined], ["PR_BODY_TOO_LARGE"], [undefined]]);
});

test("at the deadline what is under way is unknown, what was never sent says so, and a batch that nobody waits for ends", async () => {
  const { clock, broker, send } = world();
  const underWay = send(0, "a");
  await clock.advance(1);
  const waiting = send(0, "b");
  await clock.advance(11_000);
  expect([await underWay, await waiting]).toEqual([["PR_OUTCOME_UNKNOWN"], ["PR_TRANSPORT_FAILED"]]);
  broker.requests[0]!.answer(new Error("connection lost"));
  await clock.advance(5000);
  expect(broker.requests.length).toBe(1);
  expect(broker.renewals.length).toBe(1);
  const next = send(0, "c");
  await clock.advance(1);
  expect(broker.requests[1]!.parts).toEqual({ "t/0": ["c"] });
  broker.requests[1]!.answer({ "t/0": 0 });
  expect(await next).toEqual([undefined]);
});

test("a producer that the broker has forgotten gets another identity and sends the batch again", async () => {
  const { clock, broker, send } = world();
  const sent = send(0, "a");
  await clock.advance(1);
  broker.requests[0]!.answer({ "t/0": 59 });
  await clock.advance(200);
  expect(broker.renewals.length).toBe(1);
  broker.requests[1]!.answer({ "t/0": 0 });
  expect(await sent).toEqual([undefined]);
});

test("what may not be written says so at once", async () => {
  const { clock, broker, send } = world();
  const sent = send(0, "a");
  await clock.advance(1);
  broker.requests[0]!.answer({ "t/0": 29 });
  expect(await sent).toEqual(["PR_TRANSPORT_FAILED"]);
});

test("with a linger sends wait for company", async () => {
  const { clock, broker, send } = world({ lingerMs: 5 });
  void send(0, "a");
  await clock.advance(3);
  void send(0, "b");
  expect(broker.requests.length).toBe(0);
  await clock.advance(3);
  expect(broker.requests.map(({ parts }) => parts)).toEqual([{ "t/0": ["a", "b"] }]);
});

test("at the close what is under way is unknown, and what was not sent says that the transport is closed", async () => {
  const { clock, broker, accumulator, send } = world();
  const underWay = send(0, "a");
  await clock.advance(1);
  const waiting = send(0, "b");
  accumulator.abandon(fail("PR_TRANSPORT_CLOSED", { transport: "kafka", during: "send" }));
  expect([await underWay, await waiting]).toEqual([["PR_OUTCOME_UNKNOWN"], ["PR_TRANSPORT_CLOSED"]]);
  broker.requests[0]!.answer(new Error("connection lost"));
  await clock.advance(5000);
  expect(broker.requests.length).toBe(1);
});

test("a flush waits for every open send", async () => {
  const { clock, broker, accumulator, send } = world();
  const state = { isFlushed: false };
  await accumulator.flush();
  void send(0, "a");
  void accumulator.flush().then(() => (state.isFlushed = true));
  await clock.advance(50);
  expect(state.isFlushed).toBe(false);
  broker.requests[0]!.answer({ "t/0": 0 });
  await clock.advance(1);
  expect(state.isFlushed).toBe(true);
});
