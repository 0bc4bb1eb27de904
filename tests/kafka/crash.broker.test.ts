import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { describe, expect, inject, test } from "vitest";
import { deferred } from "../../packages/postrider/src/base/deferred.ts";
import { systemClock } from "../../packages/postrider/src/base/clock.ts";
import { assertOrderPerKey, freshDestination, numbered, openTransport, subscriptionTo, take, until } from "./harness.ts";
import type { Taker } from "./harness.ts";

const { url, missing } = inject("brokers").kafka;
const LANES = 4;
const MEMBER = join(import.meta.dirname, "member.ts");

// The reason stands in the name.
describe.skipIf(missing !== undefined)(`a process that dies${missing === undefined ? "" : ` (${missing})`}`, () => {
  test("kill -9 of a member under load: its partitions go to the other after a session, nothing is lost, order is kept", async () => {
    const transport = await openTransport(url!, { sessionMs: 6000, revokeMs: 2000 });
    const destination = freshDestination(LANES);
    const subscription = subscriptionTo(destination);
    await transport.apply({ destinations: [destination], subscriptions: [subscription] });
    const taker = await take(transport, subscription);
    const theirs: Taker["taken"] = [];
    const child = fork(MEMBER, [url!, destination.name, String(LANES)], { execArgv: ["--conditions=@postrider/source"] });
    const gone = deferred();
    child.once("exit", () => gone.resolve());
    child.on("message", (taken: Taker["taken"]) => theirs.push(...taken));
    let sent = 0;
    const sendSome = async (): Promise<void> => {
      const batch = Array.from({ length: 10 }, () => numbered(destination, sent++, 40));
      expect(await transport.send(batch, { deadlineMs: 30_000 })).toEqual(batch.map(() => undefined));
      await systemClock.sleep(10);
    };
    while (theirs.length < 300) await sendSome();
    expect(taker.lanes.size).toBe(LANES / 2);
    child.kill("SIGKILL");
    await gone.promise;
    const endMs = performance.now() + 60_000;
    while (taker.lanes.size < LANES && performance.now() < endMs) await sendSome();
    const all = (): Taker["taken"] => [...theirs, ...taker.taken];
    await until(() => new Set(all().map(({ at }) => at)).size === sent, "everything had come");
    assertOrderPerKey(theirs);
    assertOrderPerKey(taker.taken);
    await transport.close();
  });

  test("kill -9 of a member that comes back under its name: it has its partitions again at once, and nobody else's move", async () => {
    const transport = await openTransport(url!);
    const destination = freshDestination(LANES);
    const subscription = subscriptionTo(destination);
    await transport.apply({ destinations: [destination], subscriptions: [subscription] });
    const taker = await take(transport, subscription);
    const started = (): { child: ChildProcess; taken: Taker["taken"][number][] } => {
      const taken: Taker["taken"][number][] = [];
      const child = fork(MEMBER, [url!, destination.name, String(LANES), "pod-1"], { execArgv: ["--conditions=@postrider/source"] });
      child.on("message", (fresh: Taker["taken"]) => taken.push(...fresh));
      return { child, taken };
    };
    let sent = 0;
    const sendUntil = async (condition: () => boolean): Promise<void> => {
      for (const endMs = performance.now() + 60_000; !condition() && performance.now() < endMs; await systemClock.sleep(10)) {
        const batch = Array.from({ length: 10 }, () => numbered(destination, sent++, 40));
        expect(await transport.send(batch, { deadlineMs: 30_000 })).toEqual(batch.map(() => undefined));
      }
    };
    const first = started();
    await sendUntil(() => first.taken.length >= 300);
    const kept = [...taker.lanes.values()];
    expect(kept.length).toBe(LANES / 2);
    const gone = once(first.child, "exit");
    first.child.kill("SIGKILL");
    await gone;
    const second = started();
    await sendUntil(() => second.taken.length >= 300);
    await until(
      () => new Set([first, second, taker].flatMap(({ taken }) => taken.map(({ at }) => at))).size === sent,
      "everything had come",
    );
    expect([...taker.lanes.values()]).toEqual(kept);
    // In the same generation of the group: nobody has joined again.
    expect(lanesOf(second.taken)).toEqual(lanesOf(first.taken));
    assertOrderPerKey([...first.taken, ...second.taken]);
    second.child.kill("SIGKILL");
    await transport.close();
  });
});

/** The lanes that messages came by, each with its epoch. */
function lanesOf(taken: Taker["taken"]): readonly string[] {
  return [...new Set(taken.map(({ lane, epoch }) => `${lane} in ${epoch}`))].toSorted();
}
