import { channel } from "node:diagnostics_channel";
import { describe, expect, inject, test } from "vitest";
import { freshDestination, numbered, openTransport, subscriptionTo, take, until } from "./harness.ts";

const GROUPS = 6;
const LANES = 4;
const FETCH = 1;
const { url, missing } = inject("brokers").kafka;

/** How many fetches of this process are under way, and the most that were at once since the last look. */
class Fetches {
  #underWay = 0;
  #most = 0;

  constructor() {
    channel("tracing:plt:kafka:connections:api:start").subscribe((message) => this.#count(message, 1));
    channel("tracing:plt:kafka:connections:api:asyncStart").subscribe((message) => this.#count(message, -1));
  }

  mostSinceLastLook(): number {
    const most = this.#most;
    this.#most = this.#underWay;
    return most;
  }

  #count(message: unknown, by: number): void {
    if ((message as { apiKey?: number }).apiKey !== FETCH) return;
    this.#underWay += by;
    this.#most = Math.max(this.#most, this.#underWay);
  }
}

// The reason stands in the name.
describe.skipIf(missing !== undefined)(`fetches of several groups${missing === undefined ? "" : ` (${missing})`}`, () => {
  test("groups of one process that have come equally far share a fetch; one that has fallen behind has its own until it has caught up", async () => {
    const transport = await openTransport(url!);
    const destination = freshDestination(LANES);
    const subscriptions = Array.from({ length: GROUPS }, (_, at) => subscriptionTo(destination, { service: `reader${at}` }));
    await transport.apply({ destinations: [destination], subscriptions });
    const fetches = new Fetches();
    const takers = await Promise.all(subscriptions.map((subscription) => take(transport, subscription, subscription.service)));
    await until(() => takers.every(({ lanes }) => lanes.size === LANES), "all had their lanes");
    let sent = 0;
    const sendToAll = async (readers: typeof takers): Promise<void> => {
      const before = readers.map(({ taken }) => taken.length);
      for (let count = 0; count < LANES; count++, sent++)
        expect(await transport.send([numbered(destination, sent, LANES * 8)], { deadlineMs: 30_000 })).toEqual([undefined]);
      await until(() => readers.every(({ taken }, at) => taken.length === before[at]! + LANES), "all had them");
    };
    for (let round = 0; round < 4; round++) await sendToAll(takers); // now no two stand apart
    fetches.mostSinceLastLook();
    for (let round = 0; round < 10; round++) await sendToAll(takers);
    expect(fetches.mostSinceLastLook()).toBe(1);

    const [late, ...others] = takers as [(typeof takers)[number], ...typeof takers];
    for (const lane of late.lanes.values()) late.consumption!.pause(lane);
    for (let round = 0; round < 4; round++) await sendToAll(others);
    late.consumption!.resume();
    await until(() => late.taken.length === sent, "it had caught up");
    for (let round = 0; round < 4; round++) await sendToAll(takers);
    fetches.mostSinceLastLook();
    for (let round = 0; round < 10; round++) await sendToAll(takers);
    expect(fetches.mostSinceLastLook()).toBe(1);
    for (const { taken } of takers) expect(new Set(taken.map(({ at }) => at)).size).toBe(sent);
    await transport.close();
  });
});
