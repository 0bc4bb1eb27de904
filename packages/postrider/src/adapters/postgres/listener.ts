import { backoffMs } from "../../base/backoff.ts";
import type { BackoffOptions } from "../../base/backoff.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import type { Random } from "../../base/random.ts";
import type { PgClient, PgConnections } from "./connection.ts";
import { quoted } from "./names.ts";

/** What a listener stands on. */
export interface ListenerOptions {
  readonly connections: PgConnections;
  readonly clock: Clock;
  readonly random: Random;
}

/** What came: a notification's payload; undefined after the connection was lost and found again, when any number may have been missed. */
export type Heard = string | undefined;

const BACKOFF: BackoffOptions = { firstMs: 250, factor: 2, maxMs: 15_000, jitter: 0.2 };

// One connection is for listening: of fewer than this, transactions and what they wait for need all.
const MIN_CONNECTIONS = 3;

/**
 * Hears the notifications of a database, on one connection for all channels.
 *
 * A notification is a hint that something may have come, never the only way to learn of it: while the connection is lost none comes, and behind a pooler that
 * gives each transaction another connection none ever does. So whoever listens looks by itself now and then.
 * States: *idle* (nobody listens); *connecting*; *listening*; *waiting* (for the next try).
 */
export class PgListener {
  readonly #options: ListenerOptions;
  readonly #channels = new Map<string, Set<(heard: Heard) => void>>();
  #client: PgClient | undefined;
  #isConnecting = false;
  #timer: Timer | undefined;
  #failures = 0;

  constructor(options: ListenerOptions) {
    this.#options = options;
  }

  /** Calls back for each notification on a channel; returns how to stop. */
  listen(channel: string, callback: (heard: Heard) => void): () => void {
    const own = (heard: Heard): void => callback(heard); // a wrapper of its own: the same callback may come twice
    const callbacks = this.#channels.get(channel) ?? new Set();
    const isNew = callbacks.size === 0;
    callbacks.add(own);
    this.#channels.set(channel, callbacks);
    if (isNew) this.#subscribe(channel);
    return () => {
      callbacks.delete(own);
      if (callbacks.size === 0 && this.#channels.get(channel) === callbacks) this.#channels.delete(channel);
      if (this.#channels.size === 0) this.#letGo();
    };
  }

  /** The server's process of the listening connection, which ends with this process; 0 while there is none. */
  get backend(): number {
    return (this.#client as { readonly processID?: number | null } | undefined)?.processID ?? 0;
  }

  /** Forgets everybody who listens, and lets go of the connection. */
  stop(): void {
    this.#channels.clear();
    this.#letGo();
  }

  #subscribe(channel: string): void {
    if (this.#options.connections.max < MIN_CONNECTIONS) return;
    if (this.#client !== undefined) void this.#send(this.#client, channel);
    else this.#connect();
  }

  #connect(): void {
    if (this.#isConnecting || this.#timer !== undefined) return;
    this.#isConnecting = true;
    void this.#options.connections.borrow().then(
      (client) => this.#connected(client),
      () => this.#lost(),
    );
  }

  async #connected(client: PgClient): Promise<void> {
    this.#isConnecting = false;
    if (this.#channels.size === 0) return client.release(true);
    this.#client = client;
    client.on("error", () => this.#drop(client));
    client.on("end", () => this.#drop(client));
    client.on("notification", ({ channel, payload }) => this.#tell(channel, payload ?? ""));
    for (const channel of this.#channels.keys()) if (!(await this.#send(client, channel))) return;
    this.#failures = 0;
    for (const channel of this.#channels.keys()) this.#tell(channel, undefined);
  }

  async #send(client: PgClient, channel: string): Promise<boolean> {
    try {
      await client.query({ text: `listen ${quoted(channel)}` });
      return true;
    } catch {
      this.#drop(client);
      return false;
    }
  }

  #tell(channel: string, heard: Heard): void {
    for (const callback of this.#channels.get(channel) ?? []) callback(heard);
  }

  #drop(client: PgClient): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    client.release(true);
    this.#lost();
  }

  #lost(): void {
    this.#isConnecting = false;
    if (this.#channels.size === 0 || this.#timer !== undefined) return;
    const { clock, random } = this.#options;
    this.#timer = clock.after(backoffMs(BACKOFF, ++this.#failures, random), () => {
      this.#timer = undefined;
      if (this.#channels.size > 0) this.#connect();
    });
  }

  #letGo(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const client = this.#client;
    this.#client = undefined;
    // Closed, not given back: its subscriptions would stay with it. Its late errors are still heard, and mean nothing.
    client?.release(true);
  }
}
