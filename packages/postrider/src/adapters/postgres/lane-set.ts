import type { Clock } from "../../base/clock.ts";
import { PLAIN_ROWS, plainRows } from "./log-codec.ts";
import type { PostgresDelivery } from "./delivery.ts";
import { LaneCursor } from "./lane-cursor.ts";
import type { CursorOptions } from "./lane-cursor.ts";
import type { LogPlace } from "./log-place.ts";

/** What a lane set stands on. */
export interface LaneSetOptions extends CursorOptions {
  readonly place: LogPlace;
  readonly clock: Clock;
  readonly leaseMs: number;
  /** This consumption among all of its service. */
  readonly member: string;
  readonly service: string;
  readonly destination: { readonly id: number; readonly name: string };
  /** The server's process of a connection that ends with this process; 0 for none. */
  readonly backend: () => number;
  /** Another process has taken a lane over. */
  readonly onLost: (cursor: LaneCursor<PostgresDelivery>) => void;
}

/** What a renewal came to. */
export interface Renewal {
  readonly taken: readonly LaneCursor<PostgresDelivery>[];
  /** To be given up, so that others get their share. */
  readonly surplus: readonly LaneCursor<PostgresDelivery>[];
  /** Whether other processes read from this schema. */
  readonly hasRivals: boolean;
}

interface LaneRow {
  readonly id: number;
  readonly lane: number;
  readonly epoch: number;
  readonly owner: string | null;
  readonly isFree: boolean;
}

const REFUSED_FOR_MS = 1000;

/**
 * The lanes that one consumption owns, by leases in `pr_cursors` that the database's clock judges.
 *
 * Members of a service share its lanes evenly, by their rank. A lease only says who hands over; that nobody commits for a lane that is another's is
 * kept by its epoch, which every settling checks in its own statement.
 */
export class LaneSet {
  readonly #options: LaneSetOptions;
  readonly #cursors = new Map<number, LaneCursor<PostgresDelivery>>();
  readonly #refusedUntil = new Map<number, number>();
  #missing = 0;

  constructor(options: LaneSetOptions) {
    this.#options = options;
  }

  get cursors(): IterableIterator<LaneCursor<PostgresDelivery>> {
    return this.#cursors.values();
  }

  get size(): number {
    return this.#cursors.size;
  }

  get(lane: number): LaneCursor<PostgresDelivery> | undefined {
    return this.#cursors.get(lane);
  }

  /** Whether it has less than its share. */
  get isShort(): boolean {
    return this.#missing > 0;
  }

  /** Says that we live, extends our leases, takes what is free and ours to take, and says what we have too much of. */
  async renew(): Promise<Renewal> {
    const { place, member, service, destination, leaseMs, backend } = this.#options;
    const text = `select id, lane, epoch, owner, is_free as "isFree", members, has_rivals as "hasRivals" from ${place.schema}.pr_renew($1, $2, $3, $4, $5)`;
    const { rows } = await place.run("renew", text, [member, service, destination.id, backend(), leaseMs]);
    const lanes = rows.map((row) => ({ ...(row as unknown as LaneRow), epoch: Number(row["epoch"]) }));
    this.#drop(lanes);
    const members = (rows[0]?.["members"] ?? []) as readonly string[];
    const share = shareOf(lanes.length, members.length, members.indexOf(member));
    const wanted = lanes.filter((row) => this.#isFree(row)).slice(0, Math.max(0, share - this.#cursors.size));
    const taken = (await Promise.all(wanted.map((row) => this.#take(row)))).filter((cursor) => cursor !== undefined);
    for (const cursor of taken) this.#cursors.set(cursor.lane.number, cursor);
    const owned = this.#cursors.size;
    this.#missing = Math.max(0, share - owned);
    const staying = [...this.#cursors.values()].filter(({ state }) => state === "active");
    const leaving = [...this.#cursors.values()].filter(({ state }) => state === "revoking").length;
    const surplus = staying.slice(staying.length - Math.min(staying.length, Math.max(0, owned - leaving - share)));
    return { taken, surplus, hasRivals: rows[0]?.["hasRivals"] === true };
  }

  /** Extends the leases, and no more: the lanes are on their way out. */
  async extend(): Promise<void> {
    const { place, member, service, destination, leaseMs } = this.#options;
    const text = `update ${place.schema}.pr_cursors set lease_until = ${place.schema}.pr_now() + $4
      where id in (select id from ${place.schema}.pr_cursors where service = $1 and destination = $2 and owner = $3 order by id for no key update)`;
    await place.run("extend", text, [service, destination.id, member, leaseMs]);
  }

  /** Does not take a lane again for a while: its sink did not want it. */
  refuse(lane: number): void {
    this.#refusedUntil.set(lane, this.#options.clock.monotonicMs() + REFUSED_FOR_MS);
  }

  /** Leaves the members, so that others count themselves without us. */
  async resign(): Promise<void> {
    const { place, member } = this.#options;
    await place.run("resign", `delete from ${place.schema}.pr_members where id = $1`, [member]);
  }

  /** Gives lanes up, so that others may take them at once. */
  async release(cursors: readonly LaneCursor<PostgresDelivery>[]): Promise<void> {
    const { place, member } = this.#options;
    const ids = cursors.filter(({ state }) => state !== "gone").map(({ id }) => id);
    const text = `update ${place.schema}.pr_cursors set owner = null, lease_until = 0 where id in (select id from ${place.schema}.pr_cursors where id = any ($1) and owner = $2 order by id for no key update)`;
    if (ids.length > 0) await place.run("release", text, [ids, member]).catch(() => undefined); // at worst the leases run out
    for (const cursor of cursors) this.forget(cursor);
  }

  forget(cursor: LaneCursor<PostgresDelivery>): void {
    cursor.leave();
    if (this.#cursors.get(cursor.lane.number) === cursor) this.#cursors.delete(cursor.lane.number);
  }

  /** A lane turned out to be another's. */
  lose(cursor: LaneCursor<PostgresDelivery>): void {
    if (cursor.state === "gone") return;
    this.forget(cursor);
    this.#options.onLost(cursor);
  }

  #isFree({ lane, owner, isFree }: LaneRow): boolean {
    if ((this.#refusedUntil.get(lane) ?? 0) > this.#options.clock.monotonicMs() || this.#cursors.has(lane)) return false;
    // One that is ours by the table and not by our memory was to be released, and the write failed.
    return isFree || owner === this.#options.member;
  }

  #drop(lanes: readonly LaneRow[]): void {
    const epochs = new Map(lanes.filter(({ owner }) => owner === this.#options.member).map(({ lane, epoch }) => [lane, epoch]));
    for (const cursor of this.#cursors.values()) if (epochs.get(cursor.lane.number) !== cursor.lane.epoch) this.lose(cursor);
  }

  async #take(row: LaneRow): Promise<LaneCursor<PostgresDelivery> | undefined> {
    const { place, leaseMs, member, service, destination } = this.#options;
    const text = `select epoch, pos, open, high_pos, high_open, done from ${place.schema}.pr_take($1, $2, $3, $4)`;
    const found = plainRows(
      await place.connections.query({ ...place.statement("take", text, [row.id, row.epoch, member, leaseMs]), ...PLAIN_ROWS }),
    );
    if (found.length === 0) return undefined; // somebody was faster, or commits in it just now
    const [epoch, position, open, highPosition, highOpen, done] = found[0] as readonly string[] as readonly [
      string,
      string,
      string,
      string,
      string,
      string,
    ];
    const cursor = {
      id: row.id,
      normal: { position: Number(position), open: numbersOf(open) },
      high: { position: Number(highPosition), open: numbersOf(highOpen) },
      done: numbersOf(done),
    };
    const lane = Object.freeze({ service, destination: destination.name, number: row.lane, epoch: Number(epoch) });
    return new LaneCursor<PostgresDelivery>(cursor, lane, this.#options);
  }
}

/** How many of `lanes` belong to the member of this rank: even shares, the first members one more. */
function shareOf(lanes: number, members: number, rank: number): number {
  if (members === 0 || rank === -1) return 0;
  return Math.floor(lanes / members) + (rank < lanes % members ? 1 : 0);
}

/** An array of numbers as PostgreSQL writes it. */
function numbersOf(text: string): number[] {
  return text === "{}" ? [] : text.slice(1, -1).split(",").map(Number);
}
