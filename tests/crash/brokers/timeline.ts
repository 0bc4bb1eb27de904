import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { systemClock } from "postrider";
import { descendants } from "../../brokers/processes.ts";
import type { Ledger } from "./ledger.ts";
import type { SoakSlot } from "./processes.ts";

const EVERY_MS = 1000;
const TICKS_PER_SECOND = 100; // of Linux, on every architecture that Node runs on
const NAME_SHOWN = 8; // characters

/** Says each second on stderr what flows, who uses the processors (percent of one), and who was killed. Only on Linux does it know the processors. */
export class Timeline {
  readonly #ledger: Ledger;
  readonly #slots: readonly SoakSlot[];
  readonly #events: string[] = [];
  readonly #startMs = systemClock.monotonicMs();
  #used: ReadonlyMap<number, number> = new Map();
  #machine = 0;

  constructor(ledger: Ledger, slots: readonly SoakSlot[]) {
    this.#ledger = ledger;
    this.#slots = slots;
  }

  /** To be shown in the line of this second. */
  add(event: string): void {
    this.#events.push(event);
  }

  async run(signal: AbortSignal): Promise<void> {
    let before = { sent: 0, effects: 0 };
    while (!signal.aborted) {
      await systemClock.sleep(EVERY_MS, signal).catch(() => undefined);
      const now = await this.#ledger.flow().catch(() => undefined); // the server is away
      const flow =
        now === undefined
          ? "away"
          : `${now.sent - before.sent} sent, ${now.effects - before.effects} effects, ${now.sent * 2 - now.effects} open`;
      before = now ?? before;
      const atS = ((systemClock.monotonicMs() - this.#startMs) / 1000).toFixed(1);
      console.error(`${atS.padStart(7)} s  ${flow.padEnd(42)} ${this.#processors()}  ${this.#events.splice(0).join(", ")}`);
    }
  }

  #processors(): string {
    if (process.platform !== "linux") return "";
    const used = new Map<number, number>();
    const shares: string[] = [];
    for (const [name, pids] of this.#families()) {
      let ticks = 0;
      for (const pid of pids) {
        const now = ticksOf(pid);
        used.set(pid, now);
        ticks += now - (this.#used.get(pid) ?? 0);
      }
      shares.push(`${name} ${ticks}`);
    }
    this.#used = used;
    const machine = busyTicks();
    const busy = Math.round((machine - this.#machine) / cpus().length);
    this.#machine = machine;
    return `cpu ${shares.join(" ")} all ${busy}`;
  }

  /** Slots by their names, servers by their program's, each with the processes below it. */
  #families(): ReadonlyMap<string, readonly number[]> {
    const families = new Map<string, number[]>([["soak", [process.pid]]]);
    const slots = new Map(this.#slots.map(({ pid, place }) => [pid, place]));
    const taken = new Set<number>();
    for (const pid of descendants(process.pid)) {
      if (taken.has(pid)) continue;
      const family = [pid, ...descendants(pid)];
      for (const member of family) taken.add(member);
      const name = slots.get(pid) ?? programOf(pid);
      families.set(name, [...(families.get(name) ?? []), ...family]);
    }
    return families;
  }
}

function statOf(pid: number): readonly string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return [stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")")), ...stat.slice(stat.lastIndexOf(")") + 2).split(" ")];
  } catch {
    return []; // ended meanwhile
  }
}

function programOf(pid: number): string {
  return (statOf(pid)[0] ?? "").slice(0, NAME_SHOWN);
}

/** In user and system mode, which are the 14th and 15th fields of `stat`. */
function ticksOf(pid: number): number {
  const stat = statOf(pid);
  return Number(stat[12] ?? 0) + Number(stat[13] ?? 0);
}

/** Of all processors together, what was not idle. */
function busyTicks(): number {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = readFileSync("/proc/stat", "utf8")
    .split("\n")[0]!
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return ((user + nice + system + irq + softirq) * 100) / TICKS_PER_SECOND;
}
