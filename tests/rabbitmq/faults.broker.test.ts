import { describe, expect, test } from "vitest";
import { systemClock } from "../../packages/postrider/src/base/clock.ts";
import type { PostriderError } from "../../packages/postrider/src/base/errors.ts";
import type { SendOutcome, Sink } from "../../packages/postrider/src/ports/transport.ts";
import { missingOwn, ownBroker } from "../brokers/own.ts";
import { control, controlTool } from "./control.ts";
import { ORDERS, Taker, assertOrderPerKey, numbered, openTransport, subscriptionOf, until } from "./harness.ts";

const missing = missingOwn("rabbitmq");

// The reason stands in the name.
describe.skipIf(missing !== undefined)(`a broker that is in trouble${missing === undefined ? "" : ` (${missing})`}`, () => {
  test("a connection that swallows everything: each send is settled by its deadline, and what was confirmed is there", async () => {
    await using broker = await ownBroker("rabbitmq");
    await using proxy = await broker.proxy();
    const [sender, reader] = [await openTransport(proxy.url), await openTransport(broker.url)];
    await sender.apply({ destinations: [ORDERS], subscriptions: [subscriptionOf()] });
    const taker = new Taker();
    const consumption = await reader.consume(subscriptionOf(), taker);
    const before = await sender.send([numbered(0, 1)], { deadlineMs: 5000 });
    proxy.blackHole(true);
    const deadlines = Array.from({ length: 200 }, (_, at) => 500 + at * 10);
    const late: number[] = [];
    const outcomes = await Promise.all(
      deadlines.map(async (deadlineMs, at) => {
        const sentAt = performance.now();
        const [outcome] = await sender.send([numbered(at + 1, 1)], { deadlineMs });
        late.push(performance.now() - sentAt - deadlineMs);
        return outcome;
      }),
    );
    expect([...before]).toEqual([undefined]);
    expect(outcomes.every((outcome) => outcome?.retryable === true)).toBe(true);
    expect(new Set(outcomes.map((outcome) => outcome?.code))).toEqual(new Set(["PR_OUTCOME_UNKNOWN"]));
    expect(Math.max(...late)).toBeLessThan(1000);
    proxy.blackHole(false);
    await sender.send([numbered(1000, 1)], { deadlineMs: 20_000 });
    await until(() => taker.seen.has(0) && taker.seen.has(1000), "what was confirmed had come");
    await consumption.close();
    await Promise.all([sender.close(), reader.close()]);
  });

  test("connections broken in mid-frame again and again: no send is rejected, none lost, and each key stays in order", async () => {
    await using broker = await ownBroker("rabbitmq");
    await using proxy = await broker.proxy();
    const [sender, reader] = [await openTransport(proxy.url), await openTransport(proxy.url)];
    await sender.apply({ destinations: [ORDERS], subscriptions: [subscriptionOf()] });
    const taker = new Taker();
    const consumption = await reader.consume(subscriptionOf(), taker);
    const sends: Promise<readonly SendOutcome[]>[] = [];
    const total = 4000;
    for (let at = 0; at < total; at++) {
      sends.push(sender.send([numbered(at, 20)], { deadlineMs: 60_000 }));
      if (at % 400 === 200) proxy.resetAfter(1234 + at, at % 800 === 200 ? "toServer" : "toClient");
      if (at % 5 === 0) await systemClock.sleep(4);
    }
    const outcomes = (await Promise.all(sends)).flat();
    expect(outcomes.filter((outcome) => outcome !== undefined)).toEqual([]);
    await until(() => taker.seen.size === total, "all had come");
    assertOrderPerKey(taker.taken);
    await consumption.close();
    await Promise.all([sender.close(), reader.close()]);
  });
});

const noTool = missing ?? (controlTool() === undefined ? "rabbitmqctl is not where Debian puts it" : undefined);

// The reason stands in the name.
describe.skipIf(noTool !== undefined)(`a broker that is told what to do${noTool === undefined ? "" : ` (${noTool})`}`, () => {
  test("takes nothing: sends wait, too many are refused, readers go on, and all is well when it takes messages again", async () => {
    await using broker = await ownBroker("rabbitmq");
    const managementUrl = broker.managementUrl!;
    const [sender, reader] = [await openTransport(broker.url, { maxWaitingBytes: 4 << 20 }), await openTransport(broker.url)];
    await sender.apply({ destinations: [ORDERS], subscriptions: [subscriptionOf()] });
    const body = "x".repeat(1000);
    await sender.send(
      Array.from({ length: 300 }, (_, at) => numbered(at, 20, body)),
      { deadlineMs: 10_000 },
    );
    await control(managementUrl, "set_vm_memory_high_watermark", "absolute", "1MB");
    const outcomes: SendOutcome[] = [];
    const sends: Promise<unknown>[] = [];
    const send = (at: number): void => {
      sends.push(sender.send([numbered(at, 20, body)], { deadlineMs: 60_000 }).then(([outcome]) => outcomes.push(outcome)));
    };
    for (let at = 300; at < 20_000; at++) send(at);
    await until(() => outcomes.length > 0, "the first was refused");
    const heapBefore = process.memoryUsage().rss;
    for (let at = 20_000; at < 60_000; at++) send(at);
    await until(() => outcomes.length > 40_000, "what is too much was refused");
    expect(process.memoryUsage().rss - heapBefore).toBeLessThan(150 << 20);
    expect(new Set(outcomes.map((outcome) => outcome?.code))).toEqual(new Set(["PR_TRANSPORT_FAILED"]));
    const taker = new Taker();
    const consumption = await reader.consume(subscriptionOf(), taker);
    await until(() => taker.seen.size >= 300, "what was there before is read meanwhile");
    await control(managementUrl, "set_vm_memory_high_watermark", "0.6");
    await Promise.all(sends);
    const taken = outcomes.filter((outcome) => outcome === undefined).length;
    expect(taken).toBeGreaterThan(500);
    await until(() => taker.seen.size === 300 + taken, "all that was confirmed had come");
    assertOrderPerKey(taker.taken);
    await consumption.close();
    await Promise.all([sender.close(), reader.close()]);
  });

  test("a handler that outlasts the broker's limit for unsettled messages: its lane is read again, and the message comes again", async () => {
    await using broker = await ownBroker("rabbitmq", { settings: { consumer_timeout: "2000" } });
    // It looks only once a minute, and has no setting for that.
    await control(broker.managementUrl!, "eval", "application:set_env(rabbit, channel_tick_interval, 500).");
    const transport = await openTransport(broker.url);
    await transport.apply({ destinations: [ORDERS], subscriptions: [subscriptionOf()] });
    const errors: PostriderError[] = [];
    const came: string[] = [];
    const sink: Sink = {
      onAssigned() {},
      onRevoked() {},
      onError: (error) => void errors.push(error),
      deliver: (_lane, batch) => {
        for (const delivery of batch) {
          came.push(`${delivery.envelope!.subject}${delivery.isRedelivered ? " again" : ""}`);
          if (delivery.isRedelivered) void delivery.ack(); // the first time it is never settled
        }
      },
    };
    const consumption = await transport.consume(subscriptionOf(), sink);
    await transport.send([numbered(1, 1)], { deadlineMs: 5000 });
    await until(() => came.length === 2, "it had come again");
    expect(came).toEqual(["1", "1 again"]);
    expect(errors[0]?.message).toMatch(/timeout/i);
    // The batons are never settled either: the lanes are taken again and again, and go on.
    await transport.send([numbered(2, 1)], { deadlineMs: 5000 });
    await until(() => came.includes("2 again"), "the next one had come");
    await consumption.close();
    await transport.close();
  });
});
