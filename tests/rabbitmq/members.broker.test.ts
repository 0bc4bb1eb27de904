import { describe, expect, test } from "vitest";
import type { RabbitTransport } from "../../packages/postrider/src/adapters/rabbitmq/transport.ts";
import { systemClock } from "../../packages/postrider/src/base/clock.ts";
import { seededRandom } from "../../packages/postrider/src/base/random.ts";
import type { Consumption, Delivery, Lane, SendOutcome, Sink } from "../../packages/postrider/src/ports/transport.ts";
import { missingOwn, ownBroker } from "../brokers/own.ts";
import { ORDERS, assertOrderPerKey, numbered, openTransport, subscriptionOf, until } from "./harness.ts";
import type { Handled } from "./harness.ts";

const KEYS = 40;
const TOTAL = 12_000;
const CHANGES = 40;
const SEED = 7;
const missing = missingOwn("rabbitmq");

// The reason stands in the name.
describe.skipIf(missing !== undefined)(`instances that come, go and die${missing === undefined ? "" : ` (${missing})`}`, () => {
  test(
    "under load: nothing is lost, each key stays in order, and no lane is handed over from two places",
    { timeout: 180_000 },
    async () => {
      await using broker = await ownBroker("rabbitmq");
      const sender = await openTransport(broker.url);
      await sender.apply({ destinations: [ORDERS], subscriptions: [subscriptionOf()] });
      const record = new History();
      const sends: Promise<readonly SendOutcome[]>[] = [];
      const sending = (async () => {
        for (let at = 0; at < TOTAL; at++) {
          sends.push(sender.send([numbered(at, KEYS)], { deadlineMs: 60_000 }));
          if (at % 5 === 0) await systemClock.sleep(4);
        }
      })();
      await churn(broker.url, record);
      await sending;
      const outcomes = (await Promise.all(sends)).flat();
      expect(outcomes.filter((outcome) => outcome !== undefined)).toEqual([]);
      const last = await Member.join(broker.url, record);
      await until(() => record.seen.size === TOTAL, "all had come");
      assertOrderPerKey(record.taken);
      expect(record.overlaps).toEqual([]);
      console.info(`${record.taken.length - TOTAL} came again over ${CHANGES} changes`);
      await last.leave();
      await sender.close();
    },
  );
});

/** Lets instances come, go politely and die, by a seed. */
async function churn(url: string, record: History): Promise<void> {
  const random = seededRandom(SEED);
  const members: Member[] = [await Member.join(url, record)];
  for (let change = 0; change < CHANGES; change++) {
    await systemClock.sleep(100 + 200 * random.next());
    if (members.length < 2 || (members.length < 4 && random.next() < 0.5)) members.push(await Member.join(url, record));
    else {
      const [gone] = members.splice(Math.floor(random.next() * members.length), 1);
      if (random.next() < 0.5) gone!.die();
      else await gone!.leave();
    }
  }
  await Promise.all(members.map((member) => member.leave()));
}

/** What all instances did. */
class History {
  readonly taken: Handled[] = [];
  readonly seen: Set<number> = new Set();
  /** Lanes that were assigned while another living instance had them. */
  readonly overlaps: string[] = [];
  readonly owners: Map<number, Member> = new Map();

  handled({ envelope }: Delivery): void {
    this.taken.push({ key: envelope!.partitionkey!, at: Number(envelope!.subject), atMs: performance.now() });
    this.seen.add(Number(envelope!.subject));
  }
}

/** One instance: its own transport, one consumption, a few milliseconds for each batch. */
class Member implements Sink {
  readonly #transport: RabbitTransport;
  readonly #record: History;
  #consumption: Consumption | undefined;
  #isDead = false;

  constructor(transport: RabbitTransport, record: History) {
    this.#transport = transport;
    this.#record = record;
  }

  static async join(url: string, record: History): Promise<Member> {
    const member = new Member((await openTransport(url)) as RabbitTransport, record);
    member.#consumption = await member.#transport.consume(subscriptionOf({ prefetchCount: 100 }), member);
    return member;
  }

  onAssigned(lane: Lane): void {
    const owner = this.#record.owners.get(lane.number);
    if (owner !== undefined && !owner.#isDead) this.#record.overlaps.push(`lane ${lane.number}, epoch ${lane.epoch}`);
    this.#record.owners.set(lane.number, this);
  }

  onRevoked(lane: Lane): void {
    if (this.#record.owners.get(lane.number) === this) this.#record.owners.delete(lane.number);
  }

  onError(): void {}

  deliver(_lane: Lane, batch: readonly Delivery[]): void {
    void systemClock.sleep(3).then(() => {
      for (const delivery of batch) {
        if (this.#isDead) return;
        this.#record.handled(delivery);
        void delivery.ack();
      }
    });
  }

  async leave(): Promise<void> {
    await this.#consumption!.close();
    await this.#transport.close();
  }

  die(): void {
    this.#isDead = true;
    this.#transport.abandon();
  }
}
