import type { ClientConfig } from "pg";
import { backoffMs } from "../../base/backoff.ts";
import type { BackoffOptions } from "../../base/backoff.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import { fail, isPostriderError, reasonOf } from "../../base/errors.ts";
import type { Random } from "../../base/random.ts";
import type { ContractKind } from "../../contracts/contract.ts";
import type { UnclaimedRow } from "./outbox-claims.ts";
import { OutboxQueue } from "./outbox-queue.ts";
import type { QueuedRow } from "./outbox-queue.ts";
import type { OutboxRows } from "./outbox-rows.ts";
import type { ReplicationSlot, SlotLag } from "./replication-slot.ts";
import { ReplicationStream } from "./replication-stream.ts";
import type { StreamedTransaction } from "./replication-stream.ts";
import { streamedRow } from "./streamed-row.ts";
import type { StreamedRow } from "./streamed-row.ts";

/** What the stream of an outbox stands on. */
export interface OutboxStreamOptions {
  readonly service: string;
  /** The schema, as it is. */
  readonly schema: string;
  readonly rows: OutboxRows;
  readonly slot: ReplicationSlot;
  readonly connection: () => Promise<ClientConfig>;
  readonly clock: Clock;
  readonly random: Random;
  /** Rows have come. */
  readonly onRows: () => void;
  /** Reading by replication is not possible, or rows may have been missed: it is polled. */
  readonly onTrouble: (error: Error) => void;
}

const BACKOFF: BackoffOptions = { firstMs: 250, factor: 2, maxMs: 15_000, jitter: 0.2 };
// More rows than this do not wait in memory: they are in the table, and found there.
const MAX_WAITING = 20_000;
const MAX_WAITING_BYTES = 32 * 1024 * 1024;
const MAX_UNSEEN = 1000;
// A backlog is read from the table before the log is opened, unless it lasts longer: the server keeps its log meanwhile.
const OPEN_WITHIN_MS = 30_000;

/**
 * Reads one service's outbox from the write-ahead log, beside the table, which stays what is true.
 *
 * States: *off*; *later* (there is a backlog: the table gives it for half of what it costs to read the log beside it); *connecting* (with a pause after each failure); *beside* (rows come, and the table is polled until all that is left in it has come here too: rows that are
 * sent from the table are dropped here); *alone* (all that is sent comes from here). Any doubt leads back to *beside*: rows put off, too many that wait, a row that was missed.
 * The log is read from where it ends at the opening: what is older is in the table. Transactions that were ending just then may be neither before that place nor in sight yet, so it goes alone after them.
 * A row may come before others can see its transaction, because the server sends what is on its disk before it ends the transaction; and after it was
 * sent from the table. So what came up to the change is looked up before it is handed out.
 */
export class OutboxStream {
  readonly #options: OutboxStreamOptions;
  readonly #queue = new OutboxQueue();
  #state: "off" | "later" | "connecting" | "beside" | "alone" = "off";
  #stream: ReplicationStream<StreamedRow> | undefined;
  #timer: Timer | undefined;
  #failures = 0;
  #isCounting = false;
  #told: bigint | undefined;
  #bytes = 0;
  /** Rows up to here may have been sent from the table. */
  #doubtTo = 0n;
  /** Transactions whose rows were dropped, and that may not have been visible then. */
  #unseen = new Set<number>();
  /** Who wrote to the table when the log was opened, and may have had its commit before that place of the log. */
  #writers: ReadonlySet<string> = new Set();

  constructor(options: OutboxStreamOptions) {
    this.#options = options;
  }

  /** Whether everything that is to be sent comes from here. */
  get isAlone(): boolean {
    return this.#state === "alone";
  }

  /**
   * How far the server need not keep its log; undefined before anything was read. Alone: to the first row that the broker has not confirmed, or that is not removed yet.
   * Beside: all that was read, because the table is polled before the log is used again; so the log does not grow while a broker is away.
   */
  get settledTo(): bigint | undefined {
    if (this.#state === "alone") return this.#queue.settledTo;
    return this.#state === "beside" ? this.#queue.seen : this.#told;
  }

  /** Reads as long as this process leads. `told` is how far the server was told at last. */
  start(told: bigint | undefined): void {
    if (this.#state !== "off") return;
    this.#told = told;
    this.#state = "later";
    this.#timer = this.#options.clock.after(OPEN_WITHIN_MS, () => this.#connect());
  }

  /** A claim found fewer rows than it might have: opens the log, unless those of the other kind are many. */
  caughtUp(floors: readonly [number, number]): void {
    if (this.#state === "later" && !this.#isCounting) void this.#openAfter(floors);
  }

  /** Never rejects: then it is opened at its time. */
  async #openAfter(floors: readonly [number, number]): Promise<void> {
    const { rows } = this.#options;
    this.#isCounting = true;
    try {
      const left = [await rows.unsent(false, floors[0], MAX_UNSEEN), await rows.unsent(true, floors[1], MAX_UNSEEN)];
      if (left.some(({ length }) => length === MAX_UNSEEN) || this.#state !== "later") return;
      this.#timer?.cancel();
      this.#connect();
    } catch {
      // the next claim, or the timer
    } finally {
      this.#isCounting = false;
    }
  }

  stop(): void {
    this.#state = "off";
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#stream?.close();
    this.#stream = undefined;
    this.#forget();
  }

  /** It was written down that everything up to here is settled: the server may be told. */
  noted(lsn: bigint | undefined): void {
    if (lsn === undefined) return;
    this.#told = lsn;
    this.#stream?.confirm(lsn);
  }

  /** The table is polled from now on. */
  fallBack(): void {
    if (this.#state !== "alone") return;
    this.#state = "beside";
    this.#dropAll();
  }

  /** The rows of the table have been sent, and none is handed out: goes alone if all that is left in it has come here too. */
  async goAlone(floors: readonly [number, number]): Promise<boolean> {
    const { rows } = this.#options;
    if (this.#state !== "beside") return false;
    if (this.#writers.size > 0) {
      const { writers } = await rows.look();
      this.#writers = new Set([...this.#writers].filter((writer) => writers.has(writer)));
      if (this.#writers.size > 0) return false;
    }
    if (this.#unseen.size > 0) {
      if ((await rows.invisible([...this.#unseen])).size > 0) return false;
      this.#unseen.clear();
    }
    const doubtTo = await rows.position();
    const left = [...(await rows.unsent(false, floors[0], MAX_UNSEEN)), ...(await rows.unsent(true, floors[1], MAX_UNSEEN))];
    const isHere = left.every(({ sequence, isLater }) => !isLater && this.#queue.has(sequence));
    // Awaited meanwhile: it may have ended, or dropped what it had.
    if (!isHere || !this.#isBeside() || this.#unseen.size > 0) return false;
    this.#doubtTo = doubtTo;
    this.#state = "alone";
    return true;
  }

  /** Takes rows to be sent, but for those of blocked keys. Undefined when the table is to be read. */
  async take(kind: ContractKind, limit: number, isBlocked: (key: string) => boolean): Promise<readonly UnclaimedRow[] | undefined> {
    await this.#sift();
    if (this.#state !== "alone") return undefined;
    const taken = this.#queue.take(kind, limit, isBlocked);
    for (const row of taken) this.#bytes -= bytesOf(row);
    return taken;
  }

  /** Rows that are not in the table any more. */
  settle(sequences: readonly number[]): void {
    this.#queue.settle(sequences);
  }

  /** Whether it knows of a row that is still to be sent or settled. */
  has(sequence: number): boolean {
    return this.#queue.has(sequence);
  }

  /** How the slot stands. */
  lag(): Promise<SlotLag> {
    return this.#options.slot.lag();
  }

  /** How far the log was read. */
  get seen(): bigint {
    return this.#queue.seen;
  }

  /** Rows were in the table for long, and did not come: the table is polled, and says so. */
  missed(sequence: number): void {
    this.#trouble(`the row ${sequence} was committed and did not come by the slot`);
    this.fallBack();
  }

  #connect(): void {
    this.#state = "connecting";
    void this.#open().catch((error: unknown) => this.#lost(error));
  }

  async #open(): Promise<void> {
    const { slot, connection } = this.#options;
    const ready = await slot.ready(this.#told);
    if (ready.break !== undefined) this.#trouble(`${ready.break}; every row that is left is read from the table`);
    const { slot: name, publication, isBinary } = ready;
    const from = await this.#beginning(ready.from);
    const stream = new ReplicationStream<StreamedRow>({
      connection: await connection(),
      slot: name,
      publication,
      isBinary,
      maxRows: MAX_WAITING,
      from,
      rowOf: (inserted) => streamedRow(inserted, this.#options),
      onTransaction: (transaction) => this.#came(transaction),
      onIdleAt: (lsn) => this.#queue.saw(lsn),
      onEnd: (error) => this.#lost(error),
    });
    if (this.#state !== "connecting") return;
    this.#stream = stream;
    await stream.open();
    if (this.#stream !== stream) return stream.close();
    this.#queue.saw(from);
    this.#failures = 0;
    this.#state = "beside";
  }

  /** Where the log is read from, and whose transactions must end before nothing of what is older can come. In this order: whose commit is before that place is in sight by then, or among the writers. */
  async #beginning(confirmed: bigint): Promise<bigint> {
    const { rows } = this.#options;
    const end = await rows.position();
    this.#writers = (await rows.look()).writers;
    return end > confirmed ? end : confirmed;
  }

  #lost(error: unknown): void {
    if (this.#state === "off") return;
    const { clock, random } = this.#options;
    this.#stream?.close();
    this.#stream = undefined;
    this.#forget();
    this.#state = "connecting";
    this.#trouble(reasonOf(error), error);
    this.#timer = clock.after(backoffMs(BACKOFF, ++this.#failures, random), () => this.#connect());
  }

  #came({ rows, xid, end, isWhole }: StreamedTransaction<StreamedRow>): void {
    const { onRows } = this.#options;
    const ours: QueuedRow[] = rows.map((row) => ({ row, isEvent: row.isEvent, xid, end }));
    for (const row of rows) this.#bytes += bytesOf(row);
    this.#queue.push(ours, end);
    if (!isWhole && ours.length > 0) this.#unseen.add(xid);
    if (!isWhole || this.#queue.size > MAX_WAITING || this.#bytes > MAX_WAITING_BYTES) this.#overflow();
    if (ours.length > 0) onRows();
  }

  #overflow(): void {
    if (this.#state === "alone") this.fallBack();
    else this.#dropAll();
  }

  /** What waits is in the table. */
  #dropAll(): void {
    for (const { xid } of this.#queue.waiting.slice(-MAX_UNSEEN)) this.#unseen.add(xid);
    this.#queue.clear();
    this.#bytes = 0;
  }

  #forget(): void {
    this.#queue.clear();
    this.#unseen.clear();
    this.#bytes = 0;
  }

  /** Drops what was sent from the table before this came alone. */
  async #sift(): Promise<void> {
    const doubtful = this.#state === "alone" ? this.#queue.waitingTo(this.#doubtTo) : [];
    if (doubtful.length === 0) return;
    const { rows } = this.#options;
    const invisible = await rows.invisible([...new Set(doubtful.map(({ xid }) => xid))]);
    const sequences = doubtful.filter(({ xid }) => !invisible.has(xid)).map(({ row }) => row.sequence);
    const there = await rows.there(sequences);
    const gone = new Set(sequences.filter((sequence) => !there.has(sequence)));
    this.#queue.drop(({ row }) => gone.has(row.sequence));
  }

  #isBeside(): boolean {
    return this.#state === "beside";
  }

  #trouble(detail: string, cause?: unknown): void {
    const { service, onTrouble } = this.#options;
    onTrouble(isPostriderError(cause) ? cause : fail("PR_OUTBOX_REPLICATION", { service, detail }, { cause }));
  }
}

function bytesOf({ message: { body } }: UnclaimedRow): number {
  return body.length;
}
