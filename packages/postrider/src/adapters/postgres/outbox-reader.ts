import type { Clock } from "../../base/clock.ts";
import type { ContractKind } from "../../contracts/contract.ts";
import { kindOfDestination } from "../../envelope/outgoing.ts";
import type { DeadLetter } from "../../ports/dead-letters.ts";
import type { OutboxClaim, OutboxReader, OutboxRow, OutboxStatus } from "../../ports/outbox.ts";
import { OutboxDesk } from "./outbox-desk.ts";
import type { OutboxLeader } from "./outbox-leader.ts";
import type { OutboxNotes } from "./outbox-leader.ts";
import type { OutboxRows } from "./outbox-rows.ts";
import type { OutboxSignal } from "./outbox-signal.ts";
import type { OutboxStream } from "./outbox-stream.ts";
import type { OutboxSweep } from "./outbox-sweep.ts";
import type { OutboxWatch } from "./outbox-watch.ts";

/** What a reader of an outbox stands on. */
export interface PgOutboxReaderOptions {
  readonly clock: Clock;
  readonly rows: OutboxRows;
  readonly leader: OutboxLeader;
  readonly signal: OutboxSignal;
  readonly watch: OutboxWatch;
  /** Where rows come from beside the table; undefined where it is only polled. */
  readonly stream: OutboxStream | undefined;
  /** What removes rows that somebody else carries; undefined where they are handed out here. */
  readonly sweep: OutboxSweep | undefined;
}

type Desks = Readonly<Record<ContractKind, OutboxDesk>>;

const AUDIT_EVERY_MS = 1000;
const AUDIT_ROWS = 1000;

/**
 * The outgoing rows of one service. One process at a time hands them out; the relays of others get none until it ends or stops asking.
 *
 * Order: of a key, that of its rows' numbers, which is that of their commits. A late commit is found whenever it comes. Rows come from the table, or from the write-ahead log
 * once all that the table has left is known from there too; what is removed is removed from the table in either case, so that the two ways may change at any time.
 */
export class PgOutboxReader implements OutboxReader {
  readonly #options: PgOutboxReaderOptions;
  #desks: Desks | undefined;
  #term = -1;
  #claiming = 0;
  #joining: Promise<unknown> | undefined;
  #auditedMs = -Infinity;
  #audited: { readonly unknown: ReadonlySet<number>; readonly at: bigint } | undefined;

  constructor(options: PgOutboxReaderOptions) {
    this.#options = options;
  }

  /** Whether rows that are written now are sent from here. */
  get isLeading(): boolean {
    return this.#options.leader.isLeading;
  }

  async claim({ kind, limit, leaseMs }: OutboxClaim): Promise<readonly OutboxRow[]> {
    const { leader, stream, watch, sweep } = this.#options;
    if (!(await leader.hold(leaseMs, () => this.#notes()))) {
      stream?.stop();
      return [];
    }
    const desks = this.#led();
    stream?.noted(leader.notes.lsn);
    watch.look(() => new Set([...desks.command.floor.waitsFor, ...desks.event.floor.waitsFor]));
    if (sweep !== undefined) {
      await sweep.sweep(desks.event);
      return [];
    }
    if (stream?.isAlone === true) await this.#audit(desks, stream);
    const rows = await this.#claimAt(desks[kind], limit, leaseMs);
    if (rows.length < limit) stream?.caughtUp(floorsOf(desks));
    if (rows.length > 0 || stream === undefined || stream.isAlone || !(await this.#goAlone(desks, stream))) return rows;
    return this.#claimAt(desks[kind], limit, leaseMs);
  }

  async done(rows: readonly OutboxRow[]): Promise<void> {
    for (const [desk, group] of this.#byDesk(rows)) await desk.done(group);
    this.#options.stream?.settle(rows.map(({ sequence }) => sequence));
  }

  async giveBack(rows: readonly OutboxRow[], retryAt: number): Promise<void> {
    this.#options.stream?.fallBack(); // rows that wait for a time of their own are found in the table
    for (const [desk, group] of this.#byDesk(rows)) await desk.giveBack(group, retryAt);
  }

  async bury(row: OutboxRow, letter: DeadLetter): Promise<boolean> {
    const isBuried = (await this.#desks?.[kindOf(row)].bury(row, letter)) ?? false;
    this.#options.stream?.settle([row.sequence]);
    return isBuried;
  }

  async status(): Promise<OutboxStatus | undefined> {
    const { stream, leader } = this.#options;
    if (stream === undefined) return undefined;
    const lag = await stream.lag();
    return { by: leader.isLeading ? (stream.isAlone ? "replication" : "polling") : "standby", ...lag };
  }

  async depth(): Promise<number> {
    await this.#flush();
    return this.#options.rows.depth();
  }

  onAppended(listener: (kind?: ContractKind) => void): () => void {
    return this.#options.signal.onAppended(listener);
  }

  /** Lets another process lead at once. */
  async close(): Promise<void> {
    this.#options.stream?.stop();
    await this.#flush();
    this.#desks = undefined;
    await this.#options.leader.release().catch(() => undefined); // the lease runs out
  }

  /** Never rejects: what could not be removed comes again. */
  async #flush(): Promise<void> {
    const desks = this.#desks;
    if (desks !== undefined) await Promise.allSettled([desks.command.removal.flush(), desks.event.removal.flush()]);
  }

  async #claimAt(desk: OutboxDesk, limit: number, leaseMs: number): Promise<readonly OutboxRow[]> {
    while (this.#joining !== undefined) await this.#joining;
    this.#claiming++;
    try {
      return await desk.claim(limit, leaseMs);
    } finally {
      this.#claiming--;
    }
  }

  /** Only while nobody claims and nothing is handed out: then what the table has left is all that is unsent. */
  async #goAlone(desks: Desks, stream: OutboxStream): Promise<boolean> {
    if (this.#joining !== undefined || this.#claiming > 0) return false;
    if ([desks.command, desks.event].some(({ claims, removal }) => claims.size > 0 || removal.left.length > 0)) return false;
    const going = stream.goAlone(floorsOf(desks));
    this.#joining = going.catch(() => undefined).finally(() => void (this.#joining = undefined));
    const isAlone = await going;
    if (isAlone) this.#audited = undefined;
    return isAlone;
  }

  /** Looks now and then whether the table has rows that did not come by the log although it was read beyond them. */
  async #audit(desks: Desks, stream: OutboxStream): Promise<void> {
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs < this.#auditedMs + AUDIT_EVERY_MS) return;
    this.#auditedMs = nowMs;
    const before = this.#audited;
    const knows = (sequence: number): boolean => stream.has(sequence);
    const found = [...(await desks.command.look(knows, AUDIT_ROWS)), ...(await desks.event.look(knows, AUDIT_ROWS))];
    const at = await this.#options.rows.position();
    const missed = before === undefined || stream.seen < before.at ? undefined : found.find((sequence) => before.unknown.has(sequence));
    this.#audited = before !== undefined && stream.seen < before.at ? before : { unknown: new Set(found), at };
    if (missed !== undefined && !knows(missed)) stream.missed(missed);
    else if (before !== undefined && before.unknown.size > 0 && stream.seen < before.at) stream.fallBack(); // it is behind the table
  }

  #led(): Desks {
    const { leader, rows, clock, stream } = this.#options;
    const { term, notes } = leader;
    if (this.#desks !== undefined && this.#term === term) return this.#desks;
    stream?.stop();
    stream?.start(notes.lsn);
    const desk = (kind: ContractKind, floor: number): OutboxDesk =>
      new OutboxDesk({
        isEvent: kind === "event",
        floor,
        term,
        rows,
        clock,
        ...(stream === undefined ? {} : { feed: (limit, isBlocked) => stream.take(kind, limit, isBlocked) }),
      });
    this.#term = term;
    return (this.#desks = { command: desk("command", notes.floors[0]), event: desk("event", notes.floors[1]) });
  }

  #notes(): OutboxNotes {
    const { command, event } = this.#desks ?? {};
    return { floors: [command?.floor.floor ?? 0, event?.floor.floor ?? 0], lsn: this.#options.stream?.settledTo };
  }

  #byDesk(rows: readonly OutboxRow[]): readonly (readonly [OutboxDesk, readonly OutboxRow[]])[] {
    const desks = this.#desks;
    if (desks === undefined) return [];
    return [...Map.groupBy(rows, kindOf)].map(([kind, group]) => [desks[kind], group]);
  }
}

const floorsOf = ({ command, event }: Desks): readonly [number, number] => [command.floor.floor, event.floor.floor];

const kindOf = ({ message }: OutboxRow): ContractKind => kindOfDestination(message.destination);
