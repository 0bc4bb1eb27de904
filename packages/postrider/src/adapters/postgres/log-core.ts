import type { Clock, Timer } from "../../base/clock.ts";
import { fail } from "../../base/errors.ts";
import type { PostriderError } from "../../base/errors.ts";
import type { Ids } from "../../base/ids.ts";
import type { FoundMessage, Outgoing } from "../../envelope/envelope.ts";
import type { Consumption, ReplyInbox, SendOutcome, Sink, Subscription } from "../../ports/transport.ts";
import type { PgConnections } from "./connection.ts";
import { PostgresConsumption } from "./consumption.ts";
import type { PostgresDelivery } from "./delivery.ts";
import type { LaneCursor } from "./lane-cursor.ts";
import { LaneCommits } from "./lane-commits.ts";
import type { PgListener } from "./listener.ts";
import { LogAppender } from "./log-appender.ts";
import type { Placed, WrittenMessage } from "./log-batch.ts";
import { Destinations, unknownDestination } from "./log-destinations.ts";
import { LogFeed } from "./log-feed.ts";
import { LogPlace } from "./log-place.ts";
import { LogReplies } from "./log-replies.ts";
import { LogSignals } from "./log-signals.ts";
import { ensureCursors } from "./log-topology.ts";
import { LogTrimmer } from "./log-trim.ts";
import type { PostgresLogRetention } from "./log-trim.ts";
import { within } from "./log-within.ts";
import type { LogWorld } from "./log-world.ts";
import type { MigrationPart } from "./migrations.ts";
import { isConnectionLost, wrapTransportError } from "./vendor-error.ts";

/** What a transport needs of its database. */
export interface LogHost {
  readonly connections: PgConnections;
  readonly listener: PgListener;
  /** Not quoted. */
  readonly schema: string;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly leaseMs: number;
  readonly maxBodyBytes: number;
  readonly retention: PostgresLogRetention;
  hasStore(store: unknown): boolean;
  enter(user: object, part: MigrationPart): Promise<void>;
  leave(user: object): Promise<void>;
}

const BEAT_MS = 100;
const POLL_MS = 250;
const POLL_WITH_SIGNALS_MS = 1000;
const TRIM_MS = 5000;
const LEARN_RETRY_MS = 100;
const FLUSH_MS = 10_000;

/**
 * An open transport: who writes, who reads, and what is done again and again (leases, looking for what no hint told of, cutting logs).
 */
export class LogCore implements LogWorld {
  readonly log: LogPlace;
  readonly clock: Clock;
  readonly destinations: Destinations;
  readonly appender: LogAppender;
  readonly commits: LaneCommits;
  readonly #host: LogHost;
  readonly #signals: LogSignals;
  readonly #replies: LogReplies;
  readonly #trimmer: LogTrimmer;
  readonly #feeds = new Map<number, LogFeed>();
  readonly #consumptions = new Set<PostgresConsumption>();
  readonly #inboxes = new Set<ReplyInbox>();
  #beat: Timer | undefined;
  #polledAtMs = -Infinity;
  #trimmedAtMs: number;
  #isPolling = false;
  #hasRivals = true;

  constructor(host: LogHost) {
    const { clock, ids, connections, listener } = host;
    this.#host = host;
    this.clock = clock;
    this.log = new LogPlace(connections, host.schema);
    this.destinations = new Destinations(connections, this.log.schema);
    const instance = ids.next();
    this.appender = new LogAppender({ world: this, sender: `${instance} sends` });
    this.commits = new LaneCommits({
      world: this,
      sender: `${instance} settles`,
      onLost: (cursor) => this.#lose(cursor),
      onError: (error) => this.#report(error),
    });
    this.#replies = new LogReplies(this.log, clock);
    this.#trimmer = new LogTrimmer(this.log, host.retention);
    this.#trimmedAtMs = clock.monotonicMs();
    this.#signals = new LogSignals({
      log: this.log,
      listener,
      clock,
      instance,
      onNews: (destinations) => this.#hear(destinations),
      onConnected: () => this.#hearAll(),
    });
    this.#beatLater();
  }

  /** Whether a message can go there, as far as is known. */
  isKnown(destination: string): boolean {
    return this.destinations.peek(destination) !== undefined || this.#replies.isAddress(destination);
  }

  /** Looks up destinations, trying again until the deadline. Why that was in vain, if it was. */
  async learn(names: readonly string[], deadlineMs: number): Promise<SendOutcome> {
    const endsAtMs = this.clock.monotonicMs() + deadlineMs;
    for (;;) {
      try {
        return void (await this.destinations.learn(names));
      } catch (error) {
        if (!isConnectionLost(error) || this.clock.monotonicMs() >= endsAtMs) return wrapTransportError(error, "postgres", "a send");
        await this.clock.sleep(LEARN_RETRY_MS);
      }
    }
  }

  async place(messages: readonly Outgoing[]): Promise<readonly Placed[]> {
    await this.destinations.learn(messages.map(({ destination }) => destination).filter((name) => !this.isKnown(name)));
    return this.placeKnown(messages);
  }

  /** Where messages go whose destinations were looked up. @throws PR_DESTINATION_UNKNOWN */
  placeKnown(messages: readonly Outgoing[]): Placed[] {
    const placed: Placed[] = [];
    for (const message of messages) {
      const place = this.destinations.peek(message.destination);
      if (place !== undefined) placed.push({ message, place });
      else if (!this.#replies.isAddress(message.destination)) throw unknownDestination(message.destination);
      else if (!this.#replies.isHere(message.destination)) placed.push({ message, place: "reply" });
    }
    return placed;
  }

  announce(messages: readonly Outgoing[], written: ReadonlyMap<number, readonly WrittenMessage[]>): void {
    const touched = new Set<number>();
    let hasReplies = false;
    for (const { destination } of messages) {
      const id = this.destinations.peek(destination)?.id;
      if (id !== undefined) touched.add(id);
      else hasReplies = true;
    }
    for (const id of touched) this.#feeds.get(id)?.accept(written.get(id) ?? [], this.clock.now());
    if (hasReplies) this.#replies.deliver(messages);
    const said = [...(this.#hasRivals ? touched : []), ...(hasReplies ? [REPLIES] : [])];
    if (said.length > 0) this.#signals.say(said);
  }

  doubt(cursors: readonly LaneCursor<PostgresDelivery>[]): void {
    for (const consumption of this.#consumptions) if (cursors.some((cursor) => consumption.has(cursor))) void consumption.tick(true);
  }

  async consume(subscription: Subscription, sink: Sink): Promise<Consumption> {
    await this.log.inTransaction((client) => ensureCursors(client, this.log.schema, subscription));
    const destination = await this.destinations.get(subscription.destination.name);
    const feed = this.#feeds.get(destination.id) ?? new LogFeed(this.log, destination, this.clock);
    this.#feeds.set(destination.id, feed);
    const { ids, leaseMs } = this.#host;
    const consumption = new PostgresConsumption({
      subscription,
      sink,
      log: this.log,
      feed,
      commits: this.commits,
      clock: this.clock,
      leaseMs,
      member: ids.next(),
      backend: () => this.#signals.backend,
      onRivals: (hasRivals) => (this.#hasRivals = hasRivals),
      onClosed: (closed) => this.#closed(closed),
    });
    this.#consumptions.add(consumption);
    void consumption.tick(true);
    return consumption;
  }

  openReplies(onReply: (message: FoundMessage) => void): ReplyInbox {
    const inbox = this.#replies.open(this.#host.ids.next(), onReply);
    const opened: ReplyInbox = {
      address: inbox.address,
      close: async () => {
        this.#inboxes.delete(opened);
        await inbox.close().catch(() => undefined); // what is left of it expires
      },
    };
    this.#inboxes.add(opened);
    return opened;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#consumptions].map((consumption) => consumption.close()));
    await Promise.all([...this.#inboxes].map((inbox) => inbox.close()));
    // While the database is away nothing of this ends by itself: whoever waits for it is told.
    await within(this.clock, FLUSH_MS, Promise.all([this.appender.drained(), this.commits.settled()]));
    await this.#stop();
  }

  /** Ends without flushing or releasing anything. */
  abandon(): void {
    for (const consumption of this.#consumptions) consumption.abandon();
    void this.#stop();
  }

  async #stop(): Promise<void> {
    this.#beat?.cancel();
    const closed = fail("PR_TRANSPORT_CLOSED", { transport: "postgres", during: "a write" });
    this.appender.stop(closed);
    this.commits.stop(closed);
    const feeds = [...this.#feeds.values()].map((feed) => feed.stop());
    await Promise.all([...feeds, this.#signals.stop(), this.#replies.stop(), this.#trimmer.stop()]);
  }

  #beatLater(): void {
    const { leaseMs } = this.#host;
    this.#beat = this.clock.after(Math.min(BEAT_MS, leaseMs / 8), () => {
      this.#beatLater();
      for (const consumption of this.#consumptions) void consumption.tick();
      const nowMs = this.clock.monotonicMs();
      if (nowMs - this.#polledAtMs >= (this.#signals.backend === 0 ? POLL_MS : POLL_WITH_SIGNALS_MS)) void this.#poll(nowMs);
      if (nowMs - this.#trimmedAtMs < TRIM_MS) return;
      this.#trimmedAtMs = nowMs;
      void this.#trimmer.run();
      this.#replies.cleanUp().catch(() => undefined); // the next time finds them again
    });
  }

  /** Looks for what no hint told of, in one statement for all logs. */
  async #poll(nowMs: number): Promise<void> {
    if (this.#isPolling) return;
    this.#isPolling = true;
    this.#polledAtMs = nowMs;
    this.#replies.wake();
    const { schema } = this.log;
    const text = `select id, (select l.position from ${schema}.pr_log l where l.destination = id order by l.position desc limit 1) as last from unnest($1::integer[]) id`;
    try {
      if (this.#feeds.size === 0) return;
      const { rows } = await this.log.run("poll", text, [[...this.#feeds.keys()]]);
      for (const row of rows) this.#feeds.get(row["id"] as number)?.seen(Number(row["last"] ?? 0));
    } catch {
      // The feeds report what cannot be read.
    } finally {
      this.#isPolling = false;
    }
  }

  #hear(destinations: readonly number[]): void {
    for (const id of destinations) {
      if (id === REPLIES) this.#replies.wake();
      else this.#feeds.get(id)?.wake();
    }
  }

  #hearAll(): void {
    this.#replies.wake();
    for (const feed of this.#feeds.values()) feed.wake();
  }

  #lose(cursor: LaneCursor<PostgresDelivery>): void {
    for (const consumption of this.#consumptions) if (consumption.lose(cursor)) return;
    cursor.leave();
  }

  /** Without a consumption nothing tells whether others read here. */
  #closed(consumption: PostgresConsumption): void {
    this.#consumptions.delete(consumption);
    if (this.#consumptions.size === 0) this.#hasRivals = true;
  }

  #report(error: PostriderError): void {
    for (const consumption of this.#consumptions) consumption.failed(error);
  }
}

/** Stands for answers in a hint; destinations begin at 1. */
const REPLIES = 0;
