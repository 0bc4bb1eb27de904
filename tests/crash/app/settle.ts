import { systemClock } from "postrider";
import type { Bus, Infrastructure } from "postrider";
import type { Store } from "../../../packages/postrider/src/ports/store.ts";
import { jobId } from "./contracts.ts";
import type { Job } from "./contracts.ts";
import type { Say } from "./lines.ts";

/** What settling needs of a worker. */
export interface SettleOptions {
  readonly bus: Bus;
  readonly stores: readonly Store[];
  readonly infrastructure: Infrastructure;
  readonly say: Say;
  /** Mends what is in the dead letters and hands it back, until nothing is left there. */
  readonly redrives: boolean;
  readonly limitMs: number;
}

const LOOK_MS = 15;
/** Something may be between two places while they are counted, one after the other; not so often in a row. */
const QUIET_LOOKS = 3;
const PAGE = { limit: 1000 };

/** Runs until nothing is under way any more, or the time is up; says what is left. */
export async function settle(options: SettleOptions): Promise<void> {
  const endsAt = systemClock.monotonicMs() + options.limitMs;
  let left = await leftOf(options);
  for (let quiet = 0; quiet < QUIET_LOOKS && systemClock.monotonicMs() < endsAt;) {
    if (options.redrives && left["deadLetters"]! > 0) await redriveAll(options);
    await systemClock.sleep(LOOK_MS);
    left = await leftOf(options);
    const isQuiet = Object.entries(left).every(([what, count]) => count === 0 || (what === "deadLetters" && !options.redrives));
    quiet = isQuiet ? quiet + 1 : 0;
  }
  for (const { service, list, code, body } of await options.bus.operations.deadLetters({}, PAGE))
    options.say({ says: "deadLetter", service, list, code, id: jobOf(body) });
  options.say({ says: "left", left });
}

/** Says every message that the logs still have. */
export async function sayLogs({ infrastructure, bus, say }: Pick<SettleOptions, "infrastructure" | "bus" | "say">): Promise<void> {
  for (const { destination } of await bus.operations.destinations()) {
    const transport = destination.endsWith(".events") ? infrastructure.events : infrastructure.commands;
    for await (const { lane, position, envelope } of transport.read(destination, { from: "earliest" }))
      say({ says: "stored", destination, lane, position, messageId: envelope?.id ?? "" });
  }
}

async function leftOf({ bus, stores }: SettleOptions): Promise<Record<string, number>> {
  const left = { outbox: 0, scheduled: 0, backlog: 0, held: 0, deadLetters: 0 };
  for (const store of stores) {
    left.outbox += await store.outbox.depth();
    const { retry, parked, redrive } = await store.held.count();
    left.held += retry + parked + redrive;
  }
  left.scheduled = (await bus.operations.scheduled(PAGE)).length;
  for (const { subscriptions } of await bus.operations.destinations()) for (const { backlog } of subscriptions) left.backlog += backlog;
  left.deadLetters = (await bus.operations.deadLetters({}, PAGE)).length;
  return left;
}

async function redriveAll({ bus, say }: SettleOptions): Promise<void> {
  for (const { id, service, list, code, body } of await bus.operations.deadLetters({}, PAGE)) {
    say({ says: "redriven", service, list, code, id: jobOf(body) });
    await bus.as("doer").transaction(({ tx }) => tx.run("insert into mended (id) values (?)", jobOf(body)));
    // Another operator may have been faster.
    await bus.operations.redrive(id).catch((error: unknown) => say({ says: "wrong", what: `a redrive failed: ${String(error)}` }));
  }
}

function jobOf(body: string | Uint8Array): string {
  return jobId(JSON.parse(typeof body === "string" ? body : Buffer.from(body).toString()) as Job);
}
