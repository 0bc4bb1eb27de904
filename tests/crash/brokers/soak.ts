import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "postrider";
import type { Random } from "postrider";
import { seededRandom } from "../../../packages/postrider/src/base/random.ts";
import { ownBroker } from "../../brokers/own.ts";
import type { OwnBroker } from "../../brokers/own.ts";
import { lookingStores } from "./infrastructure.ts";
import type { On } from "./infrastructure.ts";
import { Ledger } from "./ledger.ts";
import type { Progress, Verdict } from "./ledger.ts";
import { SoakSlot } from "./processes.ts";
import { Timeline } from "./timeline.ts";
import type { SoakWorker } from "./worker.ts";

/** A soak on brokers. */
export interface BrokerSoakOptions {
  readonly on: On;
  /** Handled in all: each send has an effect of a command, and one of the event that is published with it. */
  readonly messages: number;
  /** How long producers may send, in seconds. What is left then is handled for as long as something happens. */
  readonly seconds: number;
  readonly seed: number;
  /** Nothing is killed. */
  readonly isCalm: boolean;
  /** On Kafka, whether consumers have names that survive their restarts. */
  readonly isNamed: boolean;
  /** Whether the stores' server is left alone while the broker is restarted. */
  readonly keepsStore: boolean;
  /** Says on stderr, each second, what flows and who is killed. */
  readonly isVerbose: boolean;
}

/** What a soak came to. */
export interface BrokerSoakResult extends Verdict {
  readonly sent: number;
  readonly effects: number;
  readonly kills: number;
  readonly restarts: number;
  readonly perSecond: number;
  /** Processes that ended by themselves and not well. */
  readonly crashes: readonly string[];
  readonly someLost: readonly object[];
  readonly someInverted: readonly object[];
}

/** After so long without one more effect nothing is on its way any more. */
const STILL_MS = 60_000;
const LOOK_MS = 500;
/** Counting reads every row: it may take a fifth of the time, or it would itself be what the last messages wait for. */
const PAUSE_PER_COUNT = 4;
/** Between two kills, in milliseconds. */
const KILL_EVERY_MS = { from: 2000, to: 4000 };
/** Every so many kills it is a server's turn. */
const SERVER_EVERY = 6;
/** So many effects there are between two kills, or it takes so long: on a busy machine nothing would ever come to run again. But every so many kills wait for none. */
const EFFECTS_BETWEEN = 2000;
const NO_EFFECTS_MS = 15_000;
const AT_ONCE_EVERY = 4;

/** Producers, a relay and consumers on servers of their own, all of which are killed again and again; then the ledgers are compared. */
export async function brokerSoak(options: BrokerSoakOptions): Promise<BrokerSoakResult> {
  await using stack = new AsyncDisposableStack();
  const ground = await groundOf(options, stack);
  const ledger = stack.use(new Ledger(options.on, lookingStores(options.on, ground.store)));
  await ledger.open();
  const startedMs = systemClock.monotonicMs();
  const slots = slotsOf(options, ground);
  stack.defer(async () => void (await Promise.all(slots.map((slot) => slot.end("SIGKILL")))));
  const timeline = new Timeline(ledger, slots);
  const over = new AbortController();
  const telling = options.isVerbose ? timeline.run(over.signal) : undefined;
  const kills = new Kills(slots, ground.servers, seededRandom(options.seed), viewOf(ledger, timeline));
  const killing = options.isCalm ? undefined : kills.run();
  const producers = slots.filter(({ role }) => role === "produce");
  await sent(producers, startedMs + options.seconds * 1000);
  kills.stop();
  await killing; // before producers are told to end: one that is replaced meanwhile would not know
  await Promise.all(producers.map((slot) => slot.end("SIGTERM")));
  const counts = await drained(ledger);
  over.abort();
  await telling;
  const perSecond = Math.round((counts.effects * 1000) / (systemClock.monotonicMs() - startedMs));
  // What is left is not on its way: what its processes said last may tell why.
  if ((await ledger.lost()) > 0) for (const { name, said } of slots) console.error(`── ${name}\n${said}`);
  await Promise.all(slots.map((slot) => slot.end("SIGTERM")));
  const crashes = slots.flatMap(({ crash, said }) => (crash === undefined ? [] : [`${crash}\n${said}`]));
  const verdict = await ledger.verdict();
  return {
    ...counts,
    ...kills.counts,
    perSecond,
    ...verdict,
    crashes: [...kills.crashes, ...crashes],
    someLost: await ledger.someLost(),
    someInverted: await ledger.someInverted(),
  };
}

/** What a soak runs on. */
interface Ground {
  readonly store: string;
  readonly broker: string;
  /** Those that are killed, in turn; undefined where it is a process' turn instead. */
  readonly servers: readonly (OwnBroker | undefined)[];
}

async function groundOf({ on, keepsStore }: BrokerSoakOptions, stack: AsyncDisposableStack): Promise<Ground> {
  if (on === "sqlite") {
    const folder = await mkdtemp(join(tmpdir(), "postrider-soak-"));
    stack.defer(() => rm(folder, { recursive: true }));
    return { store: join(folder, "soak.db"), broker: "", servers: [undefined] };
  }
  const store = stack.use(await ownBroker("postgres"));
  const broker = on === "postgres" ? store : stack.use(await ownBroker(on));
  return { store: store.url, broker: broker.url, servers: keepsStore ? [undefined, broker] : [...new Set([store, broker])] };
}

function viewOf(ledger: Ledger, timeline: Timeline): KillsView {
  const away = { effects: 0 };
  return {
    tell: (event) => timeline.add(event),
    effects: async () => (await ledger.flow().catch(() => away)).effects,
  };
}

function slotsOf({ on, messages, isNamed }: BrokerSoakOptions, { store, broker }: Ground): readonly SoakSlot[] {
  const slot = (name: string, role: SoakWorker["role"]): SoakSlot => {
    const places = { on, store, broker, instanceId: isNamed && role === "consume" ? name : undefined };
    return new SoakSlot({ name, role, places, total: messages / 2 });
  };
  return [slot("p", "produce"), slot("r", "relay"), slot("c1", "consume"), slot("c2", "consume")];
}

/** Until producers have sent all, or it is time. */
async function sent(producers: readonly SoakSlot[], endMs: number): Promise<void> {
  while (producers.some(({ isOver }) => !isOver) && systemClock.monotonicMs() < endMs) await systemClock.sleep(LOOK_MS);
}

/**
 * Until everything has its effects, or nothing more comes for {@link STILL_MS}.
 *
 * There may be more effects than twice what was sent: of direct sends whose outcome is unknown.
 */
async function drained(ledger: Ledger): Promise<Progress> {
  let counts = await ledger.counts();
  let pauseMs = LOOK_MS;
  for (let movedMs = systemClock.monotonicMs(); systemClock.monotonicMs() < movedMs + STILL_MS;) {
    await systemClock.sleep(pauseMs);
    const beganMs = systemClock.monotonicMs();
    const now = await ledger.counts();
    pauseMs = Math.max(LOOK_MS, (systemClock.monotonicMs() - beganMs) * PAUSE_PER_COUNT);
    if (now.effects > counts.effects) movedMs = systemClock.monotonicMs();
    else if (now.effects >= now.sent * 2 && (await ledger.lost()) === 0) break; // which looks at every row: only where nothing seems to move
    counts = now;
  }
  return counts;
}

/** What kills are told, and tell. */
interface KillsView {
  readonly tell: (event: string) => void;
  readonly effects: () => Promise<number>;
}

/** Kills processes and servers, one after another, until it is stopped. */
class Kills {
  readonly counts = { kills: 0, restarts: 0 };
  readonly crashes: string[] = [];
  readonly #slots: readonly SoakSlot[];
  /** Undefined where it is a process' turn instead. */
  readonly #servers: readonly (OwnBroker | undefined)[];
  readonly #random: Random;
  readonly #view: KillsView;
  readonly #over = new AbortController();
  #effects = 0;

  constructor(slots: readonly SoakSlot[], servers: readonly (OwnBroker | undefined)[], random: Random, view: KillsView) {
    this.#view = view;
    this.#slots = slots;
    this.#servers = servers;
    this.#random = random;
  }

  stop(): void {
    this.#over.abort();
  }

  async run(): Promise<void> {
    const { from, to } = KILL_EVERY_MS;
    for (let at = 1; ; at++) {
      await systemClock.sleep(from + this.#random.next() * (to - from), this.#over.signal).catch(() => undefined);
      if (at % AT_ONCE_EVERY !== 0) await this.#flowed();
      if (this.#over.signal.aborted) return;
      const server = at % SERVER_EVERY === 0 ? this.#servers[(at / SERVER_EVERY - 1) % this.#servers.length] : undefined;
      await (server === undefined ? this.#kill() : this.#restart(server));
    }
  }

  /** Until there are {@link EFFECTS_BETWEEN} more than at the last kill. */
  async #flowed(): Promise<void> {
    const endMs = systemClock.monotonicMs() + NO_EFFECTS_MS;
    while (systemClock.monotonicMs() < endMs && !this.#over.signal.aborted) {
      if ((await this.#view.effects()) >= this.#effects + EFFECTS_BETWEEN) break;
      await systemClock.sleep(LOOK_MS);
    }
    this.#effects = await this.#view.effects();
  }

  async #kill(): Promise<void> {
    const slot = this.#slots[Math.floor(this.#random.next() * this.#slots.length)]!;
    if (slot.crash !== undefined) this.crashes.push(`${slot.crash}\n${slot.said}`);
    if (slot.isOver && slot.crash === undefined) return; // it has sent all
    this.#view.tell(`${slot.name} (${slot.pid}) killed`);
    await slot.replace();
    this.counts.kills++;
  }

  async #restart(server: OwnBroker): Promise<void> {
    this.#view.tell(`${new URL(server.url).protocol} killed`);
    await server.kill();
    await server.start();
    this.#view.tell(`${new URL(server.url).protocol} is back`);
    this.counts.restarts++;
  }
}
