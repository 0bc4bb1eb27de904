import { fail } from "../../base/errors.ts";
import type { Clock } from "../../base/clock.ts";
import type { Connection } from "./connection.ts";
import { leaseName } from "../../lanes/log-cursor.ts";
import { LaneCursor } from "./lane-cursor.ts";
import type { CursorRow } from "./lane-cursor.ts";
import type { SqliteDelivery } from "./delivery.ts";
import type { Outstanding } from "../../base/outstanding.ts";
import type { Writer } from "./writer.ts";
import { hasEnded } from "./life-mark.ts";

/** What a lane set stands on. */
export interface LaneSetOptions {
  readonly connection: Connection;
  readonly writer: Writer;
  readonly clock: Clock;
  readonly leaseMs: number;
  /** This consumption among all of its service. */
  readonly member: string;
  readonly service: string;
  readonly destination: string;
  readonly destinationId: number;
  readonly outstanding: Outstanding;
  readonly onRoom: () => void;
  /** Another process has taken a lane over. Called inside a turn. */
  readonly onLost: (cursor: LaneCursor<SqliteDelivery>) => void;
}

/** What a renewal came to; to be acted on once it is committed. */
export interface Renewal {
  readonly taken: readonly LaneCursor<SqliteDelivery>[];
  /** To be given up, so that others get their share. */
  readonly surplus: readonly LaneCursor<SqliteDelivery>[];
}

const REFUSED_FOR_MS = 1000;

const CURSOR_COLUMNS =
  "id, lane, epoch, owner, lease_until as leaseUntil, position, open, high_position as highPosition, high_open as highOpen";

/**
 * The lanes that one consumption owns, by leases in `pr_cursors`.
 *
 * Members of a service share its lanes evenly, by their rank. All methods but the getters run inside a turn: the write lock is held, so nobody else
 * changes an owner between a check and the commit.
 */
export class LaneSet {
  readonly #options: LaneSetOptions;
  readonly #cursors = new Map<number, LaneCursor<SqliteDelivery>>();
  readonly #refusedUntil = new Map<number, number>();
  #verifiedVersion = 0;
  #missing = 0;

  constructor(options: LaneSetOptions) {
    this.#options = options;
  }

  get cursors(): IterableIterator<LaneCursor<SqliteDelivery>> {
    return this.#cursors.values();
  }

  get size(): number {
    return this.#cursors.size;
  }

  get(lane: number): LaneCursor<SqliteDelivery> | undefined {
    return this.#cursors.get(lane);
  }

  /** Whether it has less than its share. */
  get isShort(): boolean {
    return this.#missing > 0;
  }

  /** @throws PR_LEASE_LOST unless the lane is still ours */
  assertOwned(cursor: LaneCursor<SqliteDelivery>): void {
    const { version } = this.#options.writer;
    if (cursor.state !== "gone" && cursor.verifiedVersion !== version && this.#verifiedVersion !== version) this.#verify(version);
    if (cursor.state === "gone" || cursor.verifiedVersion !== version) throw fail("PR_LEASE_LOST", { lease: leaseName(cursor.lane) });
  }

  /** Takes a committed renewal's lanes in. */
  admit(taken: readonly LaneCursor<SqliteDelivery>[]): void {
    for (const cursor of taken) this.#cursors.set(cursor.lane.number, cursor);
  }

  /** Says that we live, extends our leases, takes what is free and ours to take, and says what we have too much of. */
  renew(): Renewal {
    const { connection, clock, leaseMs, member, service, destinationId } = this.#options;
    const nowMs = clock.now();
    const scope = [service, destinationId] as const;
    connection.run(
      "insert into pr_members (id, service, destination, alive_until) values (?, ?, ?, ?) on conflict do update set alive_until = excluded.alive_until",
      member,
      ...scope,
      nowMs + leaseMs,
    );
    connection.run("delete from pr_members where alive_until < ?", nowMs);
    this.#buryTheDead(scope);
    const members = connection.all<{ id: string }>("select id from pr_members where service = ? and destination = ? order by id", ...scope);
    connection.run(
      "update pr_cursors set lease_until = ? where service = ? and destination = ? and owner = ?",
      nowMs + leaseMs,
      ...scope,
      member,
    );
    const rows = connection.all<CursorRow>(
      `select ${CURSOR_COLUMNS} from pr_cursors where service = ? and destination = ? order by lane`,
      ...scope,
    );
    this.#verifyAgainst(rows, this.#options.writer.version);
    const share = shareOf(
      rows.length,
      members.length,
      members.findIndex(({ id }) => id === member),
    );
    const owned = this.#cursors.size;
    const free = rows.filter((row) => this.#isFree(row, nowMs));
    const taken = free.slice(0, Math.max(0, share - owned)).map((row) => this.#take(row, nowMs));
    this.#missing = Math.max(0, share - owned - taken.length);
    const staying = [...this.#cursors.values()].filter((cursor) => cursor.state === "active");
    const leaving = [...this.#cursors.values()].filter((cursor) => cursor.state === "revoking").length;
    return { taken, surplus: staying.slice(staying.length - Math.max(0, owned - leaving - share)) };
  }

  /** Extends the leases, and no more: the lanes are on their way out. */
  extend(): void {
    const { connection, clock, leaseMs, member } = this.#options;
    connection.run("update pr_cursors set lease_until = ? where owner = ?", clock.now() + leaseMs, member);
  }

  /** Does not take a lane again for a while: its sink did not want it. */
  refuse(lane: number): void {
    this.#refusedUntil.set(lane, this.#options.clock.now() + REFUSED_FOR_MS);
  }

  /** Leaves the members, so that others take over at once. */
  resign(): void {
    this.#options.connection.run("delete from pr_members where id = ?", this.#options.member);
  }

  forget(cursor: LaneCursor<SqliteDelivery>): void {
    cursor.leave();
    if (this.#cursors.get(cursor.lane.number) === cursor) this.#cursors.delete(cursor.lane.number);
  }

  /** Members whose process has ended need not be waited for: their lanes are free now. The epoch keeps out whoever was thought dead and is not. */
  #buryTheDead(scope: readonly [service: string, destinationId: number]): void {
    const { connection, member } = this.#options;
    const others = connection.all<{ id: string }>(
      "select id from pr_members where service = ? and destination = ? and id <> ?",
      ...scope,
      member,
    );
    for (const { id } of others) {
      if (!hasEnded(id)) continue;
      connection.run("delete from pr_members where id = ?", id);
      connection.run("update pr_cursors set lease_until = 0 where owner = ?", id);
    }
  }

  #isFree({ lane, owner, leaseUntil }: CursorRow, nowMs: number): boolean {
    if ((this.#refusedUntil.get(lane) ?? 0) > nowMs || this.#cursors.has(lane)) return false;
    // One that is ours by the table and not by our memory was to be released, and the write failed.
    return owner === null || owner === this.#options.member || leaseUntil < nowMs;
  }

  #verify(version: number): void {
    const { connection, member, service, destinationId } = this.#options;
    const sql = `select ${CURSOR_COLUMNS} from pr_cursors where service = ? and destination = ? and owner = ?`;
    this.#verifyAgainst(connection.all<CursorRow>(sql, service, destinationId, member), version);
  }

  #verifyAgainst(rows: readonly CursorRow[], version: number): void {
    const epochs = new Map(rows.filter((row) => row.owner === this.#options.member).map((row) => [row.lane, row.epoch]));
    for (const cursor of this.#cursors.values()) {
      if (epochs.get(cursor.lane.number) === cursor.lane.epoch) {
        cursor.verifiedVersion = version;
      } else {
        this.forget(cursor);
        this.#options.onLost(cursor);
      }
    }
    this.#verifiedVersion = version;
  }

  #take(row: CursorRow, nowMs: number): LaneCursor<SqliteDelivery> {
    const { connection, leaseMs, member, service, destination, outstanding, onRoom, writer } = this.#options;
    const epoch = row.epoch + 1;
    connection.run("update pr_cursors set owner = ?, epoch = ?, lease_until = ? where id = ?", member, epoch, nowMs + leaseMs, row.id);
    const lane = Object.freeze({ service, destination, number: row.lane, epoch });
    const cursor = new LaneCursor<SqliteDelivery>(row, lane, { connection, owner: member, outstanding, onRoom });
    cursor.verifiedVersion = writer.version;
    return cursor;
  }
}

/** How many of `lanes` belong to the member of this rank: even shares, the first members one more. */
function shareOf(lanes: number, members: number, rank: number): number {
  return Math.floor(lanes / members) + (rank < lanes % members ? 1 : 0);
}
