import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { SqliteOrder, SqliteReport } from "../../../../../tests/support/sqlite-process.ts";
import { systemClock } from "../../base/clock.ts";

const PROGRAM = join(import.meta.dirname, "../../../../../tests/support/sqlite-process.ts");
const LEASE_MS = 1500;

/** A real process, and what it has reported. */
class Peer {
  readonly child: ChildProcess;
  readonly reports: SqliteReport[] = [];
  readonly #waiting = new Set<() => void>();

  constructor() {
    this.child = fork(PROGRAM, { execArgv: ["--conditions=@postrider/source", "--disable-warning=ExperimentalWarning"] });
    this.child.on("message", (report: SqliteReport) => {
      this.reports.push(report);
      for (const look of this.#waiting) look();
    });
  }

  /** Sends an order and waits until it is carried out. */
  async do(order: SqliteOrder): Promise<SqliteReport & { readonly report: "done" }> {
    this.child.send(order);
    const isIt = (report: SqliteReport): report is SqliteReport & { report: "done" } =>
      report.report === "done" && report.order === order.order;
    await this.until(() => this.reports.some(isIt));
    return this.reports.find(isIt)!;
  }

  count(kind: SqliteReport["report"]): number {
    return this.reports.filter(({ report }) => report === kind).length;
  }

  async until(condition: () => boolean): Promise<void> {
    await new Promise<void>((resolve) => {
      const look = (): void => {
        if (!condition()) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = once(this.child, "exit");
    this.child.kill(signal);
    await gone;
  }
}

let folder: string;
let file: string;
let peers: Peer[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "postrider-processes-"));
  file = join(folder, "app.db");
});

afterEach(async () => {
  await Promise.all(peers.map((peer) => peer.end("SIGKILL")));
  peers = [];
  await rm(folder, { recursive: true, force: true });
});

async function peer(name: string, leaseMs = LEASE_MS): Promise<Peer> {
  const made = new Peer();
  peers.push(made);
  await made.do({ order: "open", file, name, leaseMs });
  return made;
}

async function allHandled(ids: readonly string[], ...readers: readonly Peer[]): Promise<void> {
  const handledCount = (): number => readers.reduce((sum, reader) => sum + reader.count("handled"), 0);
  await Promise.race(readers.map((reader) => reader.until(() => handledCount() >= ids.length)));
}

interface LedgerRow {
  readonly id: string;
  readonly key: string;
  readonly process: string;
}

function ledger(): readonly LedgerRow[] {
  const db = new DatabaseSync(file, { readOnly: true });
  try {
    return db.prepare("select id, key, process from ledger order by rowid").all() as unknown as LedgerRow[];
  } finally {
    db.close();
  }
}

/** What is wrong with the ledger: an id that is missing, not known or there twice, or a key whose order is broken. */
function faultsOf(ids: readonly string[]): readonly string[] {
  const rows = ledger();
  const counts = new Map<string, number>(ids.map((id) => [id, 0]));
  for (const { id } of rows) counts.set(id, (counts.get(id) ?? -100) + 1);
  const wrong = [...counts].filter(([, count]) => count !== 1).map(([id, count]) => `${id} was handled ${count} times`);
  for (const [key, of] of Map.groupBy(rows, ({ key: its }) => its)) {
    if (of.some(({ id }, at) => at > 0 && of[at - 1]!.id > id)) wrong.push(`${key} is out of order`);
  }
  return wrong;
}

/** Freezes a process while it does not have the write lock: with it, everybody else waits for it to go on, and nothing can get stale. */
function freezeBetweenTurns(frozen: Peer): void {
  const db = new DatabaseSync(file, { timeout: 20 });
  try {
    for (;;) {
      frozen.child.kill("SIGSTOP");
      try {
        db.exec("begin immediate; rollback");
        return;
      } catch {
        frozen.child.kill("SIGCONT");
      }
    }
  } finally {
    db.close();
  }
}

test("two processes share the lanes, and every message is handled once and in the order of its key", async () => {
  const [left, right] = await Promise.all([peer("left"), peer("right")]);
  await Promise.all([left.do({ order: "consume", settles: true }), right.do({ order: "consume", settles: true })]);
  await Promise.all([left, right].map((one) => one.until(() => one.count("assigned") >= 4)));
  const sends = await Promise.all([
    left.do({ order: "send", count: 1000, keys: 50, atOnce: 20 }),
    right.do({ order: "send", count: 1000, keys: 50, atOnce: 20 }),
  ]);
  const ids = sends.flatMap((done) => done.ids ?? []);
  expect(ids).toHaveLength(2000);
  await allHandled(ids, left, right);
  expect(faultsOf(ids)).toEqual([]);
  expect(new Set(ledger().map(({ process }) => process))).toEqual(new Set(["left", "right"]));
});

test("a newcomer gets its share while others go on, and gives it back when it closes", async () => {
  const first = await peer("first");
  await first.do({ order: "consume", settles: true });
  await first.until(() => first.count("assigned") === 8);
  const second = await peer("second");
  await second.do({ order: "consume", settles: true });
  await second.until(() => second.count("assigned") === 4);
  expect(first.count("rebalance")).toBe(4);
  await second.do({ order: "close" });
  await first.until(() => first.count("assigned") === 12);
  expect(second.count("closing")).toBe(4);
});

test("the lanes of a killed process are taken over once its lease is over, with what it had not settled", async () => {
  const sender = await peer("sender");
  const victim = await peer("victim");
  await victim.do({ order: "consume", settles: false });
  await victim.until(() => victim.count("assigned") === 8);
  const { ids = [] } = await sender.do({ order: "send", count: 300, keys: 30, atOnce: 10 });
  const heir = await peer("heir");
  await victim.end("SIGKILL");
  const killedMs = systemClock.monotonicMs();
  await heir.do({ order: "consume", settles: true });
  await allHandled(ids, heir);
  expect(systemClock.monotonicMs() - killedMs).toBeLessThan(LEASE_MS + 1000);
  expect(faultsOf(ids)).toEqual([]);
});

test("the lanes of a killed process are taken over at once by one that sees that it has ended, however long the lease", async () => {
  const longLeaseMs = 600_000;
  const [victim, heir] = await Promise.all([peer("victim", longLeaseMs), peer("heir", longLeaseMs)]);
  await victim.do({ order: "consume", settles: false });
  await victim.until(() => victim.count("assigned") === 8);
  const { ids = [] } = await heir.do({ order: "send", count: 100, keys: 10, atOnce: 10 });
  await victim.end("SIGKILL");
  await heir.do({ order: "consume", settles: true });
  await allHandled(ids, heir);
  expect(faultsOf(ids)).toEqual([]);
});

test("a process killed while it works loses nothing and repeats nothing", async () => {
  const sender = await peer("sender");
  const victim = await peer("victim");
  const heir = await peer("heir");
  await victim.do({ order: "consume", settles: true });
  await heir.do({ order: "consume", settles: true });
  await heir.until(() => heir.count("assigned") >= 4);
  const sending = sender.do({ order: "send", count: 3000, keys: 60, atOnce: 30 });
  await victim.until(() => victim.count("handled") > 100);
  await victim.end("SIGKILL");
  const { ids = [] } = await sending;
  await heir.until(() => heir.count("assigned") >= 8);
  await heir.until(() => ledger().length >= ids.length);
  expect(faultsOf(ids)).toEqual([]);
});

test("a process that was frozen for longer than its lease commits nothing stale when it goes on", async () => {
  const sender = await peer("sender");
  const frozen = await peer("frozen");
  await frozen.do({ order: "consume", settles: true });
  await frozen.until(() => frozen.count("assigned") === 8);
  const heir = await peer("heir");
  const sending = sender.do({ order: "send", count: 4000, keys: 40, atOnce: 20 });
  await frozen.until(() => frozen.count("handled") > 200);
  freezeBetweenTurns(frozen);
  await heir.do({ order: "consume", settles: true });
  await heir.until(() => heir.count("assigned") === 8);
  frozen.child.kill("SIGCONT");
  const { ids = [] } = await sending;
  await frozen.until(() => frozen.count("lost") === 8);
  await heir.until(() => ledger().length >= ids.length);
  expect(faultsOf(ids)).toEqual([]);
});

test("eight processes that write at once all get through", async () => {
  const writers = await Promise.all(Array.from({ length: 8 }, (_, at) => peer(`writer-${at}`)));
  const sends = await Promise.all(writers.map((writer) => writer.do({ order: "send", count: 200, keys: 10, atOnce: 5 })));
  const ids = sends.flatMap((done) => done.ids ?? []);
  expect(ids).toHaveLength(1600);
  const reader = writers[0]!;
  await reader.do({ order: "consume", settles: true });
  await allHandled(ids, reader);
  expect(faultsOf(ids)).toEqual([]);
});

test("an answer reaches the process that waits for it", async () => {
  const [asker, answerer] = await Promise.all([peer("asker"), peer("answerer")]);
  const { address = "" } = await asker.do({ order: "ask" });
  await answerer.do({ order: "answer", address });
  await asker.until(() => asker.count("answered") === 1);
  expect(asker.reports).toContainEqual({ report: "answered", body: "the answer" });
});
