import { memoryWorld } from "../adapters/memory/world.ts";
import type { MemoryWorld } from "../adapters/memory/world.ts";
import { systemClock } from "../base/clock.ts";
import { countedIds } from "../base/ids.ts";
import { seededRandom } from "../base/random.ts";
import { VirtualClock } from "../base/virtual-clock.ts";
import type { Bus, BusOptions, Sender } from "../bus/api.ts";
import { createBus } from "../bus/bus.ts";
import type { AnyContract, BodyOf } from "../contracts/contract.ts";
import type { DeadLetter } from "../ports/dead-letters.ts";
import { memory } from "../presets/memory.ts";
import type { Alert } from "../telemetry/alert.ts";
import { MortalClock } from "./mortal-clock.ts";
import { ofContract, Recorder } from "./recorder.ts";
import type { RecordedLine, RecordedMessage, RecordedRun } from "./recorder.ts";

/** What {@link testBus} takes: what `createBus` takes, but for what it runs on. */
export interface TestBusOptions extends Omit<BusOptions, "commands" | "events" | "store" | "clock"> {
  /** When the app's time begins. Default 2026-01-01, 00:00 UTC. */
  readonly startAt?: Date;
  /** How long `settled` waits for handlers that do not end, in real milliseconds. Default 2000. */
  readonly patienceMs?: number;
}

const QUIET_TURNS = 4; // of the process in which nothing happens, before nothing is going to happen
const PAGE = { limit: 10_000 };

/**
 * Runs an app in memory on a clock that stands still until it is told to move.
 *
 * Everything that is ready happens by itself; `settled` waits for it. Time passes only by `advance`: retries, schedules and timeouts wait for that.
 * Ids and chance repeat themselves, so a test that fails fails again.
 */
export async function testBus(options: TestBusOptions): Promise<TestBus> {
  const app = new TestBus(options);
  await app.start();
  return app;
}

/** An app under test. Made by {@link testBus}; `await using` stops it. */
export class TestBus implements AsyncDisposable {
  /** The app's clock. */
  readonly clock: VirtualClock;
  /** The broker and the database that the app runs on. */
  readonly world: MemoryWorld;
  /** What operators were told, in order. */
  readonly alerts: Alert[] = [];
  readonly #options: TestBusOptions;
  readonly #recorder = new Recorder();
  #process: { readonly bus: Bus; readonly clock: MortalClock };
  #generation = 0;

  constructor(options: TestBusOptions) {
    this.#options = options;
    this.clock = new VirtualClock(options.startAt?.getTime());
    this.world = memoryWorld({ clock: this.clock });
    this.world.onStored((message) => this.#recorder.stored(message));
    this.#process = this.#newProcess();
  }

  /** The running bus: another one after each crash. */
  get bus(): Bus {
    return this.#process.bus;
  }

  /** Opens everything; {@link testBus} has done it. */
  async start(): Promise<void> {
    await this.#process.bus.start();
    await this.#calm();
  }

  /** Sends in a service's name. */
  as(service: string): Sender {
    return this.bus.as(service);
  }

  /**
   * Resolves once no handler runs and nothing is going to happen before time passes.
   *
   * Rejects when a handler does not end by itself: one that sleeps on the app's clock needs `advance` first.
   */
  async settled(): Promise<void> {
    const patienceMs = this.#options.patienceMs ?? 2000;
    const startedMs = systemClock.monotonicMs();
    for (;;) {
      await this.#calm();
      const { running } = this.#recorder;
      if (running.length === 0) return;
      if (systemClock.monotonicMs() - startedMs > patienceMs) throw new Error(`not settled after ${patienceMs} ms: ${running.join(", ")}`);
      await systemClock.sleep(1); // what a handler waits for outside takes real time
    }
  }

  /** Lets that much time pass; each timer fires at its own time, with everything that follows from it. */
  async advance(ms: number): Promise<void> {
    const endMs = this.clock.now() + ms;
    await this.#calm();
    for (let nextAt = this.clock.nextAt; nextAt !== undefined && nextAt <= endMs; nextAt = this.clock.nextAt) {
      await this.clock.advance(Math.max(0, nextAt - this.clock.now()));
      await this.#calm();
    }
    await this.clock.advance(endMs - this.clock.now());
    await this.#calm();
  }

  /** Commands that left, in the order of their commits. */
  sent<Of extends AnyContract>(contract?: Of): RecordedMessage<BodyOf<Of>>[] {
    return this.#messages("command", contract);
  }

  /** Events that left, in the order of their commits. */
  published<Of extends AnyContract>(contract?: Of): RecordedMessage<BodyOf<Of>>[] {
    return this.#messages("event", contract);
  }

  /** Replies that left. Their contract is that of the command that they answer. */
  replied<Of extends AnyContract>(contract?: Of): RecordedMessage[] {
    return this.#messages("reply", contract);
  }

  /** Runs of handlers that ended well, in the order they ended. */
  handled<Of extends AnyContract>(contract?: Of): RecordedRun<BodyOf<Of>>[] {
    return ofContract(this.#recorder.runs, contract).filter((run) => !("error" in run));
  }

  /** Runs of handlers that threw. */
  failed<Of extends AnyContract>(contract?: Of): RecordedRun<BodyOf<Of>>[] {
    return ofContract(this.#recorder.runs, contract).filter((run) => "error" in run);
  }

  /** What was given up, newest first. */
  async deadLetters<Of extends AnyContract>(contract?: Of): Promise<readonly DeadLetter[]> {
    return this.bus.operations.deadLetters(contract === undefined ? {} : { contract: contract.name }, PAGE);
  }

  /** What was logged. */
  log(): readonly RecordedLine[] {
    return this.#recorder.lines;
  }

  /** Kills the process wherever it is, and starts another one on what was committed. */
  async crash(): Promise<void> {
    this.#process.clock.kill();
    this.world.crash();
    this.#recorder.forgetRunning();
    this.#process = this.#newProcess();
    await this.start();
  }

  /** Drains and stops; time passes as far as that takes. May be called twice. */
  async stop(): Promise<void> {
    const state = { isStopped: false };
    const stopped = this.bus.stop().finally(() => {
      state.isStopped = true;
    });
    for (await this.#calm(); !state.isStopped; await this.#calm()) {
      const { nextAt } = this.clock;
      await this.clock.advance(nextAt === undefined ? 0 : Math.max(0, nextAt - this.clock.now()));
    }
    await stopped;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #newProcess(): { readonly bus: Bus; readonly clock: MortalClock } {
    const { startAt: _startAt, patienceMs: _patienceMs, ...options } = this.#options;
    const clock = new MortalClock(this.clock);
    const generation = this.#generation++;
    const bus = createBus({
      ids: countedIds(clock, generation),
      random: seededRandom(generation + 1),
      logger: this.#recorder.logger(),
      ...options,
      ...memory({ world: this.world }),
      services: options.services.map((service) => this.#recorder.watched(service, () => !clock.isDead)),
      alerts: {
        ...options.alerts,
        onAlert: (alert) => {
          this.alerts.push(alert);
          return options.alerts?.onAlert?.(alert);
        },
      },
      clock,
    });
    return { bus, clock };
  }

  /** Lets everything happen that waits neither for time nor for the outside. */
  async #calm(): Promise<void> {
    let { activity } = this.world;
    for (let quietTurns = 0; quietTurns < QUIET_TURNS; quietTurns++) {
      await this.clock.yield();
      if ((this.clock.nextAt ?? Infinity) <= this.clock.now()) await this.clock.advance(0);
      else if (activity === this.world.activity) continue;
      ({ activity } = this.world);
      quietTurns = -1;
    }
  }

  #messages<Of extends AnyContract>(kind: "command" | "event" | "reply", contract: Of | undefined): RecordedMessage<BodyOf<Of>>[] {
    const ofKind = this.#recorder.messages.filter(({ envelope }) => envelope.kind === kind);
    return ofContract(ofKind, contract);
  }
}
