import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { outsideFile, storeFile } from "./app/infrastructure.ts";
import type { Layout } from "./app/infrastructure.ts";
import type { Line, OutsideLine, Say } from "./app/lines.ts";
import { sayLogs, settle } from "./app/settle.ts";
import { crashSystem } from "./app/system.ts";
import type { Fault } from "./fault.ts";
import { faultsOf } from "./history.ts";
import type { Effect, History, Send, Shape } from "./history.ts";
import { WorkerProcess } from "./process.ts";
import type { WorkerConfig } from "./worker.ts";

/** Who handles what in the crash system. */
const SHAPE: Shape = {
  handlers: {
    "job.do": ["doer/job.do"],
    "job.step": ["doer/job.step"],
    "job.ask": ["doer/job.ask"],
    "job.later": ["doer/job.later"],
    "job.done": ["auditor/job.done"],
  },
  publishes: { "doer/job.do": "job.done" },
  readers: { "job.commands": ["doer"], "job.events": ["auditor"] },
};

/** Later than every lease, claim and delay: a restart after a pause, without the pause. */
const AHEAD_MS = 120_000;
const SETTLE_LIMIT_MS = 20_000;

/** One crash system: its folder, and every process that ever ran in it. `using run = new CrashRun("one")` cleans up. */
export class CrashRun implements Disposable {
  readonly folder: string = mkdtempSync(join(tmpdir(), "postrider-crash-"));
  readonly workers: WorkerProcess[] = [];
  readonly #recovered: Line[] = [];
  readonly #layout: Layout;
  readonly #leaseMs: number;

  constructor(layout: Layout, leaseMs = 400) {
    this.#layout = layout;
    this.#leaseMs = leaseMs;
  }

  /** Starts a process. */
  start(config: Omit<WorkerConfig, "folder" | "layout" | "leaseMs">, environment: Readonly<Record<string, string>> = {}): WorkerProcess {
    const worker = new WorkerProcess({ folder: this.folder, layout: this.#layout, leaseMs: this.#leaseMs, ...config }, environment);
    this.workers.push(worker);
    return worker;
  }

  /** Runs a process to its end, which must be a good one. */
  async runWell(config: Omit<WorkerConfig, "folder" | "layout" | "leaseMs">, limitMs = 60_000): Promise<WorkerProcess> {
    const worker = this.start(config);
    await worker.endWell(limitMs);
    return worker;
  }

  /** Starts the system again in this process, long after everything that the dead ones held is over, and lets it come to rest. */
  async recover(): Promise<void> {
    const say: Say = (line) => void this.#recovered.push(line);
    const place = { folder: this.folder, layout: this.#layout, leaseMs: this.#leaseMs };
    const config = { name: "recovery", ...place, aheadMs: AHEAD_MS, saysLogs: true, isQuiet: true };
    const system = crashSystem(config, say, {});
    await system.start();
    await settle({ ...system, say, redrives: true, limitMs: SETTLE_LIMIT_MS });
    await sayLogs({ ...system, say });
    await system.bus.stop();
  }

  /** Everything that was said. */
  get lines(): readonly Line[] {
    return [...this.workers.flatMap(({ lines }) => lines), ...this.#recovered];
  }

  /** What is wrong with what happened. Every process must be over. */
  faults(): readonly Fault[] {
    const wrong = this.lines.flatMap((line): readonly Fault[] => (line.says === "wrong" ? [{ kind: "wrong", what: line.what }] : []));
    return [...wrong, ...faultsOf(this.history(), SHAPE)];
  }

  /** What happened, for the checker. */
  history(): History {
    const { lines } = this;
    const lefts = lines.flatMap((line) => (line.says === "left" ? [line.left] : []));
    const left = lefts.at(-1) ?? { "processes that looked": 1 };
    return {
      sends: sendsOf(lines),
      ...this.#tables(),
      outside: this.#outside(),
      deadLetters: lines.flatMap((line) => (line.says === "deadLetter" ? [line] : [])),
      left: { ...left, deadLetters: 0 }, // those are accounted for one by one
      taken: lines.flatMap((line) => (line.says === "took" ? [line] : [])),
      stored: lines.flatMap((line) => (line.says === "stored" ? [line] : [])),
    };
  }

  [Symbol.dispose](): void {
    for (const worker of this.workers) if (!worker.isOver) worker.signal("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  #tables(): Pick<History, "effects" | "rows"> {
    const database = new DatabaseSync(storeFile(this.folder), { readOnly: true });
    try {
      const effects = database.prepare("select handler, id, key, at from effects order by sequence").all() as unknown as Effect[];
      const rows = database.prepare("select id from orders").all() as { id: string }[];
      return { effects, rows: rows.map(({ id }) => id) };
    } finally {
      database.close();
    }
  }

  #outside(): readonly OutsideLine[] {
    const file = outsideFile(this.folder);
    if (!existsSync(file)) return [];
    const lines = readFileSync(file, "utf8").split("\n").slice(0, -1);
    return lines.map((line) => JSON.parse(line) as OutsideLine);
  }
}

function sendsOf(lines: readonly Line[]): readonly Send[] {
  const outcomes = new Map<string, Send["outcome"]>();
  for (const line of lines) {
    if (line.says === "sent") outcomes.set(line.id, "acknowledged");
    if (line.says === "refused") outcomes.set(line.id, "refused");
  }
  return lines.flatMap((line) => {
    if (line.says !== "sending") return [];
    const { contract, id, key, producer, n, isInOrder, hasRow, notBefore } = line.send;
    return [{ contract, id, key, producer, sequence: n, isInOrder, hasRow, notBefore, outcome: outcomes.get(id) ?? "unknown" } as const];
  });
}
