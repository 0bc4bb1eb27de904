import type { Subscription } from "../../ports/transport.ts";
import type { PostgresDelivery } from "./delivery.ts";
import type { LaneCursor } from "./lane-cursor.ts";
import { MESSAGE_COLUMNS, messageOf, PLAIN_ROWS, plainRows } from "./log-codec.ts";
import type { LogFeed } from "./log-feed.ts";
import type { StoredMessage } from "./log-message.ts";
import { readPage } from "./log-pages.ts";
import type { LogPlace } from "./log-place.ts";
import { Tail } from "./log-tail.ts";

// One pass may hand over this many rows, so that the loop is never held for more than about a millisecond.
const MAX_ROWS = 256;
const MAX_BYTES = 4 * 1024 * 1024;

const UNLIMITED = { maxMessages: Infinity, maxBytes: Infinity }; // the statement has limits of its own

type Cursor = LaneCursor<PostgresDelivery>;

/** Takes a message of a lane; false when there is no room for it. */
export type Take = (cursor: Cursor, message: StoredMessage) => boolean;

/** What a pass came to. `load`: the rows must be fetched first. */
export type Pass = "nothing" | "more" | "full" | "load";

/**
 * Reads one priority of a log for one subscription: one scan for all lanes, which first lets those that lag behind catch up with the others.
 *
 * What is new comes from the feed's tail; what is old is fetched a window at a time, ahead of what there is room for.
 */
export class Scan {
  readonly isHigh: boolean;
  readonly #place: LogPlace;
  readonly #feed: LogFeed;
  readonly #types: ReadonlySet<string> | undefined;
  /** Rows of all lanes that were fetched last. */
  #window: Tail = new Tail(UNLIMITED);
  #loadFrom = 0;

  constructor(place: LogPlace, feed: LogFeed, subscription: Subscription, isHigh: boolean) {
    this.#place = place;
    this.#feed = feed;
    this.isHigh = isHigh;
    this.#types = subscription.types === undefined ? undefined : new Set(subscription.types);
  }

  /** Hands over what is in memory, from where the lanes are. */
  next(flowing: readonly Cursor[], take: Take): Pass {
    const { end } = this.#feed;
    let from = end;
    for (const cursor of flowing) from = Math.min(from, cursor.trackOf(this).fetchedTo);
    if (from >= end) return "nothing";
    const group = new Map<number, Cursor>();
    let upTo = end;
    for (const cursor of flowing) {
      const { fetchedTo } = cursor.trackOf(this);
      if (fetchedTo === from) group.set(cursor.lane.number, cursor);
      else upTo = Math.min(upTo, fetchedTo);
    }
    const tail = [this.isHigh ? this.#feed.high : this.#feed.normal, this.#window].find((one) => one.covers(from));
    if (tail === undefined) {
      this.#loadFrom = from;
      return "load";
    }
    return this.#walk(tail, group, { from, upTo, end }, take);
  }

  /** Fetches what {@link next} asked for. */
  async load(): Promise<void> {
    const from = this.#loadFrom;
    const { end, destination } = this.#feed;
    const types = this.#types === undefined ? {} : { types: [...this.#types] };
    const page = {
      destination: destination.id,
      after: from,
      to: end,
      isHigh: this.isHigh,
      ...types,
      maxRows: MAX_ROWS,
      maxBytes: MAX_BYTES,
    };
    const messages = await readPage(this.#place, page);
    const isCut = messages.length === MAX_ROWS || messages.reduce((sum, { bytes }) => sum + bytes, 0) >= MAX_BYTES;
    this.#window = new Tail(UNLIMITED);
    this.#window.restart(from);
    this.#window.extend(messages, isCut ? messages.at(-1)!.position : end);
  }

  /** Fetches single positions, as far as they are still there. */
  async fetch(positions: readonly number[]): Promise<StoredMessage[]> {
    const text = `select ${MESSAGE_COLUMNS} from ${this.#place.schema}.pr_log where destination = $1 and position = any ($2) order by position`;
    const statement = this.#place.statement("fetch", text, [this.#feed.destination.id, positions]);
    return plainRows(await this.#place.connections.query({ ...statement, ...PLAIN_ROWS })).map(messageOf);
  }

  /** Forgets what was fetched: a lane that was not ours when it was may be missing in it. */
  forget(): void {
    this.#window = new Tail(UNLIMITED);
  }

  #walk(
    tail: Tail,
    group: ReadonlyMap<number, Cursor>,
    { from, upTo, end }: { readonly from: number; readonly upTo: number; readonly end: number },
    take: Take,
  ): Pass {
    let rows = 0;
    let isFull = false;
    const reached = tail.walk(from, upTo, (message) => {
      if (rows >= MAX_ROWS) return false;
      const cursor = group.get(message.lane);
      if (cursor === undefined || (this.#types !== undefined && !this.#types.has(message.type))) return true;
      if (cursor.trackOf(this).passes(message.position)) return true;
      rows++;
      isFull = !take(cursor, message);
      return !isFull;
    });
    for (const cursor of group.values()) cursor.trackOf(this).fetchedTo = reached;
    if (isFull) return "full";
    return reached < end || upTo < end ? "more" : "nothing";
  }
}
