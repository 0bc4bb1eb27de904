import { deferred } from "../../base/deferred.ts";
import type { Deferred } from "../../base/deferred.ts";
import type { PostriderError } from "../../base/errors.ts";
import type { PostgresDelivery } from "./delivery.ts";
import type { CursorState, LaneCursor } from "./lane-cursor.ts";
import { appendCall, appendValues, list, writtenOf } from "./log-batch.ts";
import type { Placed } from "./log-batch.ts";
import { LogUnit, leaseLost } from "./log-unit.ts";
import type { LogWorld } from "./log-world.ts";
import { LANE_LOST_STATE } from "./log-schema.ts";
import type { GroupCommit, Participant } from "./participant.ts";
import { isConflict, isConnectionLost, isServerError, wrapTransportError } from "./vendor-error.ts";

type Cursor = LaneCursor<PostgresDelivery>;

/** What commits need besides their transport. */
export interface LaneCommitsOptions {
  readonly world: LogWorld;
  /** Unique among all senders. */
  readonly sender: string;
  /** A lane turned out to be another's. */
  readonly onLost: (cursor: Cursor) => void;
  readonly onError: (error: PostriderError) => void;
}

/** A transaction that only sends and settles. */
interface Waiting {
  readonly unit: LogUnit;
  readonly placed: readonly Placed[];
  readonly outcome: Deferred;
}

/** What one statement writes. */
interface Group {
  readonly deliveries: PostgresDelivery[];
  readonly acked: Deferred;
  readonly waiting: Waiting[];
  readonly moved: Set<Cursor>;
  /** Lanes that turned out to be another's. */
  readonly lost: Set<Cursor>;
  /** What was appended with it. */
  written: ReturnType<typeof writtenOf>;
}

const RETRY_MIN_MS = 50;
const RETRY_MAX_MS = 1000;

/**
 * Writes what is settled without a transaction's own SQL: cursors move, and messages that were sent with it are appended, in one statement, one at a
 * time; what comes meanwhile goes with the next.
 *
 * It is tried again until it is written or the lane is lost: a cursor may move twice to the same place, and messages are appended once by their batch's
 * number. So an answer that got lost doubles nothing.
 */
export class LaneCommits implements GroupCommit {
  readonly #options: LaneCommitsOptions;
  #next: Group = emptyGroup();
  #isRunning = false;
  #flying: Promise<void> = Promise.resolve();
  #number = 0;
  #stopped: PostriderError | undefined;
  #hasFailed = false;

  constructor(options: LaneCommitsOptions) {
    this.#options = options;
  }

  /** Settles a delivery. Resolves once that is durable. @throws PR_LEASE_LOST */
  async ack(delivery: PostgresDelivery): Promise<void> {
    delivery.state = "settling";
    const group = this.#next;
    group.deliveries.push(delivery);
    this.#start();
    await group.acked.promise;
    if (group.lost.has(delivery.cursor)) throw leaseLost(delivery);
  }

  async commit(participant: Participant): Promise<void> {
    if (!(participant instanceof LogUnit)) throw new TypeError("not a unit of this log");
    const placed = await participant.place();
    if (placed.length === 0 && participant.settled.length === 0) return participant.announce(); // answers to this process, or nothing
    const waiting: Waiting = { unit: participant, placed, outcome: deferred() };
    this.#next.waiting.push(waiting);
    this.#start();
    await waiting.outcome.promise;
  }

  /** Writes how far a lane has come, with the next statement. */
  move(cursor: Cursor): void {
    this.#next.moved.add(cursor);
    this.#start();
  }

  /** Resolves when what waits now is written, or refused. */
  async settled(): Promise<void> {
    const group = this.#next;
    if (isEmpty(group)) await this.#flying;
    else await group.acked.promise.catch(() => undefined); // whoever waits for it hears of it
  }

  /** Refuses what waits and what comes. */
  stop(error: PostriderError): void {
    this.#stopped = error;
    refuse(this.#next, error);
    this.#next = emptyGroup();
  }

  #start(): void {
    if (this.#stopped !== undefined) {
      refuse(this.#next, this.#stopped);
      this.#next = emptyGroup();
    }
    if (this.#isRunning) return;
    this.#isRunning = true;
    void this.#run();
  }

  async #run(): Promise<void> {
    // What is settled in this turn goes together.
    await this.#options.world.clock.yield();
    while (!isEmpty(this.#next)) {
      const group = this.#next;
      this.#next = emptyGroup();
      this.#flying = this.#write(group);
      await this.#flying;
    }
    this.#isRunning = false;
  }

  async #write(group: Group): Promise<void> {
    for (const one of group.waiting.filter(({ unit }) => unit.settled.some(({ cursor }) => cursor.state === "gone")))
      this.#lose(group, one);
    const settled = [...group.deliveries, ...group.waiting.flatMap(({ unit }) => unit.settled)];
    for (const { cursor } of group.deliveries) if (cursor.state === "gone") group.lost.add(cursor);
    for (const delivery of settled) delivery.cursor.finish(delivery, false);
    const cursors = [...new Set([...settled.map(({ cursor }) => cursor), ...group.moved])].filter(({ state }) => state !== "gone");
    const states = new Map(cursors.map((cursor) => [cursor, cursor.takeState()]));
    const refusal = await this.#attempt(states, group);
    if (refusal !== undefined) return this.#separate(group, refusal);
    if (this.#stopped !== undefined) return refuse(group, this.#stopped);
    this.#hasFailed = false;
    this.#options.world.announce(
      group.waiting.flatMap(({ unit }) => unit.outgoing),
      group.written,
    );
    for (const { outcome } of group.waiting) outcome.resolve();
    group.acked.resolve();
  }

  /** Tries until it is written. What the server does not want written, if that may be for one unit's sake. */
  async #attempt(states: Map<Cursor, CursorState>, group: Group): Promise<unknown> {
    const number = ++this.#number;
    for (let waitMs = RETRY_MIN_MS; ; waitMs = Math.min(RETRY_MAX_MS, waitMs * 2)) {
      if (this.#stopped !== undefined) return undefined;
      try {
        return void (await this.#statement(states, group, number));
      } catch (error) {
        const isLost = (error as { code?: unknown }).code === LANE_LOST_STATE && (await this.#findLost(states, group).catch(() => false));
        if (isLost) continue;
        if (group.waiting.length > 0 && isServerError(error) && !isConflict(error) && !isConnectionLost(error)) return error;
        await this.#pause(error, waitMs);
      }
    }
  }

  /** One unit's message must not be another's trouble: acknowledgements first, then each unit by itself. */
  async #separate(group: Group, refusal: unknown): Promise<void> {
    const units = [...group.waiting];
    for (const { unit } of units) for (const delivery of unit.settled) delivery.cursor.reopen(delivery);
    await this.#write({ ...group, waiting: [] });
    if (units.length === 1) units[0]!.outcome.reject(wrapTransportError(refusal, "postgres", "a send"));
    else for (const one of units) await this.#write({ ...emptyGroup(), waiting: [one] });
  }

  async #statement(states: ReadonlyMap<Cursor, CursorState>, group: Group, number: number): Promise<void> {
    const { log, clock } = this.#options.world;
    const checkpoint = `select ${log.schema}.pr_checkpoint($1, $2, $3, $4, $5, $6, $7, $8, true)`;
    const placed = group.waiting.flatMap((one) => one.placed);
    const values = checkpointValues(states);
    if (placed.length === 0) return void (states.size > 0 && (await log.run("checkpoint", checkpoint, values)));
    const identity = { sender: this.#options.sender, number };
    const isAlone = states.size === 0;
    const text = isAlone ? `select ${appendCall(log.schema, 1)}` : `${checkpoint}, ${appendCall(log.schema, values.length + 1)}`;
    const append = appendValues(placed, identity, clock.now());
    const { rows } = await log.run(isAlone ? "append" : "commit", `${text} as appended`, isAlone ? append : [...values, ...append]);
    group.written = writtenOf(placed, rows[0]!["appended"] as readonly string[] | null);
  }

  /** Which of these lanes are another's; what was settled in them is refused, the rest goes on. Whether there were any. */
  async #findLost(states: Map<Cursor, CursorState>, group: Group): Promise<boolean> {
    const { log } = this.#options.world;
    const cursors = [...states.keys()];
    const text = `select m.id from unnest($1::integer[], $2::bigint[]) as m (id, epoch)
      where not exists (select 1 from ${log.schema}.pr_cursors r where r.id = m.id and r.epoch = m.epoch and r.owner is not null)`;
    const { rows } = await log.run("lost", text, [list(cursors.map(({ id }) => id)), list(cursors.map(({ lane }) => lane.epoch))]);
    const lost = new Set(rows.map((row) => row["id"] as number));
    for (const cursor of cursors.filter(({ id }) => lost.has(id))) {
      states.delete(cursor);
      group.lost.add(cursor);
      this.#options.onLost(cursor);
    }
    for (const one of group.waiting.filter(({ unit }) => unit.settled.some(({ cursor }) => lost.has(cursor.id)))) this.#lose(group, one);
    return lost.size > 0;
  }

  #lose(group: Group, one: Waiting): void {
    group.waiting.splice(group.waiting.indexOf(one), 1);
    one.outcome.reject(leaseLost(one.unit.settled[0]!));
  }

  async #pause(error: unknown, waitMs: number): Promise<void> {
    const { onError, world } = this.#options;
    if (!this.#hasFailed) onError(wrapTransportError(error, "postgres", "a settling")); // once per outage
    this.#hasFailed = true;
    await world.clock.sleep(waitMs);
  }
}

function checkpointValues(states: ReadonlyMap<Cursor, CursorState>): unknown[] {
  const cursors = [...states.keys()];
  const rows = [...states.values()];
  const opens = (open: readonly number[]): string => (open.length === 0 ? '"{}"' : `"${list(open)}"`);
  return [
    list(cursors.map(({ id }) => id)),
    list(cursors.map(({ lane }) => lane.epoch)),
    list(rows.map(({ normal }) => normal.position)),
    list(rows.map(({ normal }) => opens(normal.open))),
    list(rows.map(({ high }) => high.position)),
    list(rows.map(({ high }) => opens(high.open))),
    list([...states].flatMap(([{ id }, { forget }]) => forget.map(() => id))),
    list(rows.flatMap(({ forget }) => forget)),
  ];
}

function emptyGroup(): Group {
  const acked = deferred();
  acked.promise.catch(() => undefined); // nobody has to wait for it
  return { deliveries: [], acked, waiting: [], moved: new Set(), lost: new Set(), written: new Map() };
}

function isEmpty({ deliveries, waiting, moved }: Group): boolean {
  return deliveries.length === 0 && waiting.length === 0 && moved.size === 0;
}

function refuse(group: Group, error: PostriderError): void {
  group.acked.reject(error);
  for (const { outcome } of group.waiting) outcome.reject(error);
}
