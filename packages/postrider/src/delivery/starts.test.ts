import { expect, test } from "vitest";
import { memoryWorld } from "../adapters/memory/world.ts";
import { StartLedger } from "./starts.ts";
import type { LoneTurn } from "./starts.ts";
import type { Work } from "./work.ts";

const MAX_STARTS = 4;

/** A suspect that has started twice before, so that its next start must be alone. */
async function suspect(ledger: StartLedger, id: string): Promise<Work> {
  const work = { ready: { envelope: { id } }, held: undefined } as unknown as Work; // all that the ledger looks at
  expect(await ledger.admit(work)).toBe("run");
  return work;
}

function ledgersOf(services: readonly string[]): StartLedger[] {
  const world = memoryWorld();
  const lone: LoneTurn = { last: Promise.resolve() };
  return services.map((service) => new StartLedger(world.store(service).starts, MAX_STARTS, lone));
}

test("suspects of two services of one process never run alone at the same time", async () => {
  const [billing, mailing] = ledgersOf(["billing", "mailing"]) as [StartLedger, StartLedger];
  const first = await suspect(billing, "poison-1");
  const second = await suspect(mailing, "poison-2");
  const admitted: string[] = [];

  const begun = billing.admit(first).then(() => admitted.push("first"));
  const waiting = mailing.admit(second).then(() => admitted.push("second"));
  await begun;
  await settledTurns();
  expect(admitted).toEqual(["first"]);

  billing.survived(first);
  await waiting;
  expect(admitted).toEqual(["first", "second"]);
});

test("whoever is to run alone does not wait for one that waits for its store; that stays counted", async () => {
  const { starts } = memoryWorld().store("billing");
  const process = (): StartLedger => new StartLedger(starts, MAX_STARTS, { last: Promise.resolve() });
  const ledger = process();
  const first = await suspect(ledger, "first");
  const second = await suspect(ledger, "second");
  await ledger.admit(first);
  let isAdmitted = false;
  const waiting = ledger.admit(second).then(() => (isAdmitted = true));
  await settledTurns();
  expect(isAdmitted).toBe(false);
  ledger.waits(first);
  await waiting;
  await process().admit(first);
  expect(await process().admit(first)).toBe("poison");
});

test("who merely waited for its lone turn when the process ended is not blamed", async () => {
  const world = memoryWorld();
  const process = (): StartLedger => new StartLedger(world.store("billing").starts, MAX_STARTS, { last: Promise.resolve() });
  const neighbour = { ready: { envelope: { id: "neighbour" } }, held: undefined } as unknown as Work;
  for (let crash = 0; crash < MAX_STARTS * 2; crash++) {
    const ledger = process();
    const poison = { ready: { envelope: { id: `poison-${crash}` } }, held: undefined } as unknown as Work;
    await ledger.admit(poison);
    await ledger.admit(poison); // holds the lone turn until its process ends
    void ledger.admit(neighbour);
    await settledTurns();
  }
  expect(await process().admit(neighbour)).toBe("run");
});

test("where many starts are allowed only the last two are alone", async () => {
  const { starts } = memoryWorld().store("billing");
  const process = (): StartLedger => new StartLedger(starts, 10, { last: Promise.resolve() });
  const work = { ready: { envelope: { id: "hit" } }, held: undefined, runsAlone: false } as unknown as Work;
  const alone: boolean[] = [];
  while ((await process().admit(work)) === "run") alone.push(work.runsAlone);
  expect(alone).toEqual([false, false, false, false, false, false, false, true, true]);
});

/** Lets every promise that can go on go on. */
async function settledTurns(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
}
