import { describe, expect, inject, test } from "vitest";
import { deferred } from "../../packages/postrider/src/base/deferred.ts";
import { systemClock } from "../../packages/postrider/src/base/clock.ts";
import type { Delivery, Lane, Transport } from "../../packages/postrider/src/ports/transport.ts";
import { assertOrderPerKey, freshDestination, numbered, openTransport, subscriptionTo, Taker, until } from "./harness.ts";

const LANES = 6;
const KEYS = 60;
const HANDLING_MS = 20;
const HEARTBEAT_MS = 500;
const { url, missing } = inject("brokers").kafka;

/** A taker whose handling takes a while, and that lets it end before it gives a lane up; it notes when each began and ended. */
class SlowTaker extends Taker {
  readonly runs: { readonly key: string; readonly at: number; readonly beganMs: number; endedMs: number }[] = [];
  readonly #running = new Map<number, Set<Promise<void>>>();
  readonly #tails = new Map<string, Promise<void>>();
  readonly #gone = new Set<string>();

  override async onRevoked(lane: Lane): Promise<void> {
    this.#gone.add(`${lane.number} ${lane.epoch}`);
    await Promise.all(this.#running.get(lane.number) ?? new Set<Promise<void>>());
    await super.onRevoked(lane);
  }

  override deliver(lane: Lane, batch: readonly Delivery[]): void {
    for (const delivery of batch) {
      const key = delivery.envelope!.partitionkey!;
      const running = this.#running.get(lane.number) ?? new Set();
      this.#running.set(lane.number, running);
      const run: Promise<void> = (this.#tails.get(key) ?? Promise.resolve())
        .then(() => this.#handle(lane, delivery, key))
        .finally(() => running.delete(run));
      this.#tails.set(key, run);
      running.add(run);
    }
  }

  async #handle(lane: Lane, delivery: Delivery, key: string): Promise<void> {
    if (this.#gone.has(`${lane.number} ${lane.epoch}`)) return void delivery.giveBack();
    const run = { key, at: (JSON.parse(String(delivery.body)) as { at: number }).at, beganMs: performance.now(), endedMs: Infinity };
    this.runs.push(run);
    this.taken.push({ at: run.at, key, lane: lane.number, epoch: lane.epoch, atMs: run.beganMs });
    await systemClock.sleep(HANDLING_MS);
    run.endedMs = performance.now();
    void delivery.ack();
  }
}

// The reason stands in the name.
describe.skipIf(missing !== undefined)(`members that come and go under load${missing === undefined ? "" : ` (${missing})`}`, () => {
  test("a second member joins and leaves: no key runs at two owners, none is lost or doubled, what stays is not silent", async () => {
    const options = { heartbeatMs: HEARTBEAT_MS };
    const [one, two] = await Promise.all([openTransport(url!, options), openTransport(url!, options)]);
    const destination = freshDestination(LANES);
    const subscription = subscriptionTo(destination);
    await one.apply({ destinations: [destination], subscriptions: [subscription] });
    const first = new SlowTaker("first");
    first.consumption = await one.consume(subscription, first);
    await until(() => first.lanes.size === LANES, "the first had all lanes");

    const stop = deferred();
    const load = sendUntil(one, destination, stop.promise);
    await until(() => first.runs.length > 500, "it ran");
    const second = new SlowTaker("second");
    second.consumption = await two.consume(subscription, second);
    await until(() => first.lanes.size === LANES / 2 && second.lanes.size === LANES / 2, "they shared");
    await until(() => second.runs.length > 500, "both ran");
    await second.consumption.close();
    await until(() => first.lanes.size === LANES, "the first had all lanes again");
    const back = first.runs.length;
    await until(() => first.runs.length > back + 500, "it ran alone again");
    stop.resolve();
    const sent = await load;

    const all = [...first.runs, ...second.runs].toSorted((left, right) => left.beganMs - right.beganMs);
    await until(() => new Set([...first.runs, ...second.runs].map(({ at }) => at)).size === sent, "everything had come");
    assertNoOverlap(all);
    assertOrderPerKey(all);
    const doubled = [...first.runs, ...second.runs].length - sent;
    const { longest, lane } = longestSilence([first, second]);
    console.info(
      `${sent} sent, ${doubled} came again; lane ${lane} was silent for ${Math.round(longest)} ms, the heartbeat is ${HEARTBEAT_MS} ms`,
    );
    expect(doubled).toBe(0);
    expect([...first.errors, ...second.errors]).toEqual([]);
    await one.close();
    await two.close();
  });

  test("a member that comes while another goes, many times over, loses nothing and leaves no zombie", async () => {
    const transport = await openTransport(url!, { heartbeatMs: 200 });
    const destination = freshDestination(LANES);
    const subscription = subscriptionTo(destination);
    await transport.apply({ destinations: [destination], subscriptions: [subscription] });
    const stop = deferred();
    const load = sendUntil(transport, destination, stop.promise);
    const takers: SlowTaker[] = [];
    for (let round = 0; round < 8; round++) {
      const taker = new SlowTaker(`round ${round}`);
      taker.consumption = await transport.consume(subscription, taker);
      takers.push(taker);
      await until(() => taker.runs.length > 20, `round ${round} ran`);
      if (round > 0) await takers[round - 1]!.consumption!.close();
    }
    stop.resolve();
    const sent = await load;
    const runs = (): SlowTaker["runs"] => takers.flatMap((taker) => taker.runs);
    await until(() => new Set(runs().map(({ at }) => at)).size === sent, "everything had come");
    expect(takers.flatMap(({ errors }) => errors)).toEqual([]);
    assertNoOverlap(runs());
    assertOrderPerKey(runs().toSorted((left, right) => left.beganMs - right.beganMs));
    await transport.close();
  });
});

async function sendUntil(transport: Transport, destination: ReturnType<typeof freshDestination>, stopped: Promise<void>): Promise<number> {
  const state = { isStopped: false };
  void stopped.then(() => (state.isStopped = true));
  let at = 0;
  while (!state.isStopped) {
    const batch = Array.from({ length: 5 }, () => numbered(destination, at++, KEYS));
    expect(await transport.send(batch, { deadlineMs: 30_000 })).toEqual(batch.map(() => undefined));
    await systemClock.sleep(10);
  }
  return at;
}

function assertNoOverlap(runs: readonly SlowTaker["runs"][number][]): void {
  const last = new Map<string, SlowTaker["runs"][number]>();
  for (const run of runs.toSorted((left, right) => left.beganMs - right.beganMs)) {
    const before = last.get(run.key);
    if (before !== undefined && before.endedMs > run.beganMs) throw new Error(`${run.key}: ${run.at} began while ${before.at} was running`);
    last.set(run.key, run);
  }
}

function longestSilence(takers: readonly SlowTaker[]): { longest: number; lane: number } {
  const byLane = Map.groupBy(
    takers.flatMap(({ taken }) => taken),
    (one) => one.lane,
  );
  let found = { longest: 0, lane: -1 };
  for (const [lane, taken] of byLane) {
    const times = taken.map(({ atMs }) => atMs).toSorted((left, right) => left - right);
    for (let at = 1; at < times.length; at++)
      if (times[at]! - times[at - 1]! > found.longest) found = { longest: times[at]! - times[at - 1]!, lane };
  }
  return found;
}
