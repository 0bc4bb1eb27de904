import { statement } from "./statement.ts";
import type { Run, Statement } from "./statement.ts";
import { toText } from "./column-text.ts";
import type { Clock } from "../../base/clock.ts";
import type { StorePlace } from "./store-place.ts";

/** What a leader of an outbox stands on. */
export interface OutboxLeaderOptions {
  readonly place: StorePlace;
  readonly run: Run;
  readonly clock: Clock;
  /** Unique among all that may lead. */
  readonly owner: string;
  /** The server's process of a connection that ends with this process; 0 while there is none. */
  readonly backend: () => number;
}

/** What the leader notes for whoever leads after it. */
export interface OutboxNotes {
  /** No row up to here is left, or can still come: of commands, and of events. */
  readonly floors: readonly [command: number, event: number];
  /** How far the write-ahead log was told that it need not be kept; undefined where it is not read. */
  readonly lsn: bigint | undefined;
}

const RENEWALS_PER_LEASE = 13; // once a second at the relay's 13 s
const ASK_AGAIN_MS = 500; // who does not lead asks no more often: for as long a killed leader's rows may lie

/**
 * Which process hands out a service's rows: one at a time, so that what is handed out needs no write of its own.
 *
 * It ends when it is not renewed within its lease; at once when it is released, or when the leader's connections to the server are gone though the server was not
 * restarted. A leader whose connections broke while a send of its own was under way may then have its rows sent by the next one too: at least once, each key still in order.
 */
export class OutboxLeader {
  readonly #options: OutboxLeaderOptions;
  readonly #lead: Statement;
  readonly #release: Statement;
  #notes: OutboxNotes = { floors: [0, 0], lsn: undefined };
  #term = 0;
  #isLeading = false;
  #renewedMs = -Infinity;
  #leaseMs = 0;
  #askedMs = -Infinity;
  #backend = 0;
  #renewing: Promise<boolean> | undefined;

  constructor(options: OutboxLeaderOptions) {
    const { schema } = options.place;
    this.#options = options;
    this.#lead = statement(`select term, command_floor, event_floor, lsn from ${schema}.pr_lead_outbox($1, $2, $3, $4, $5, $6, $7)`);
    this.#release = statement(`update ${schema}.pr_outbox_leaders set lease_until = 0 where service = $1 and owner = $2`);
  }

  /** Whether this process leads now, as far as it knows. */
  get isLeading(): boolean {
    return this.#isLeading && this.#options.clock.monotonicMs() < this.#renewedMs + this.#leaseMs;
  }

  /** Grows with each change of the leader. */
  get term(): number {
    return this.#term;
  }

  /** As the table has them. */
  get notes(): OutboxNotes {
    return this.#notes;
  }

  /** Takes or keeps the lead for another lease; writes about once a second. `notes` are kept with it. */
  async hold(leaseMs: number, notes: () => OutboxNotes): Promise<boolean> {
    const nowMs = this.#options.clock.monotonicMs();
    const isFresh = nowMs < this.#renewedMs + leaseMs / RENEWALS_PER_LEASE && this.#backend === this.#options.backend();
    if (this.isLeading && isFresh) return true;
    if (!this.#isLeading && nowMs < this.#askedMs + Math.min(ASK_AGAIN_MS, leaseMs / 2)) return false;
    this.#renewing ??= this.#renew(nowMs, leaseMs, notes).finally(() => void (this.#renewing = undefined));
    // Nobody waits for a renewal while there is much of the lease left.
    if (!this.isLeading || nowMs > this.#renewedMs + leaseMs / 8) return this.#renewing;
    this.#renewing.catch(() => undefined);
    return true;
  }

  async #renew(nowMs: number, leaseMs: number, notes: () => OutboxNotes): Promise<boolean> {
    const { place, run, owner, backend } = this.#options;
    this.#askedMs = nowMs;
    this.#backend = backend();
    const mine = this.isLeading ? notes() : { floors: [0, 0] as const, lsn: undefined };
    const lsn = mine.lsn === undefined ? null : lsnText(mine.lsn);
    const { rows } = await run(this.#lead, place.service, toText(owner), this.#backend, Math.round(leaseMs), ...mine.floors, lsn);
    const [row] = rows;
    this.#isLeading = row !== undefined;
    if (row === undefined) return false;
    this.#renewedMs = nowMs;
    this.#leaseMs = leaseMs;
    this.#term = Number(row["term"]);
    const known = row["lsn"];
    this.#notes = {
      floors: [Number(row["command_floor"]), Number(row["event_floor"])],
      lsn: typeof known === "string" ? lsnOf(known) : undefined,
    };
    return true;
  }

  /** Lets the next one lead at once. May be called twice. */
  async release(): Promise<void> {
    const { place, run, owner } = this.#options;
    await this.#renewing?.catch(() => undefined);
    if (!this.#isLeading) return;
    this.#isLeading = false;
    await run(this.#release, place.service, toText(owner));
  }
}

/** A position of the write-ahead log as PostgreSQL writes it: `16/B374D848`. */
export function lsnText(lsn: bigint): string {
  return `${(lsn >> 32n).toString(16)}/${(lsn & 0xffffffffn).toString(16)}`.toUpperCase();
}

/** See `lsnText`. */
export function lsnOf(text: string): bigint {
  const [high = "0", low = "0"] = text.split("/");
  return (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`);
}
