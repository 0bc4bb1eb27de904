import type { Clock } from "../base/clock.ts";
import type { Ids } from "../base/ids.ts";
import type { Random } from "../base/random.ts";
import type { AnyContract, InputOfContract, ReplyOf } from "../contracts/contract.ts";
import type { PlainForm } from "../envelope/plain.ts";
import type { Logger } from "../ports/logger.ts";
import type { Sql } from "../ports/sql.ts";
import type { LetterOperations } from "../deadletters/types.ts";
import type { OutboxStatus } from "../ports/outbox.ts";
import type { ProgressReport } from "../ports/progress.ts";
import type { Recurrence } from "../ports/schedule.ts";
import type { RetentionPolicy, Store } from "../ports/store.ts";
import type { Telemetry } from "../ports/telemetry.ts";
import type { DestinationStatus, TopologyPlan, Transport } from "../ports/transport.ts";
import type { SendOptions, Sent, When } from "../pipeline/context.ts";
import type { Service } from "../pipeline/service.ts";
import type { AlertOptions } from "../telemetry/alert.ts";

/** What an app runs on. Presets such as `sqlite(file)` give these three. */
export interface Infrastructure {
  /** Carries commands. */
  readonly commands: Transport;
  /** Carries events. May be the same as for commands. */
  readonly events: Transport;
  /** A store for each service, or `"none"`: at least once, retries in place only; what needs a store is refused. */
  readonly store: ((service: string) => Store) | "none";
}

/** What {@link createBus} takes. */
export interface BusOptions extends Infrastructure {
  readonly services: readonly Service[];
  /** The services that this process runs. Default all. */
  readonly run?: readonly string[];
  /** Contracts that others handle, outside this app: commands to them need no owner here. */
  readonly external?: readonly AnyContract[];
  /** By destination, such as `order.events`: written so that readers who know nothing of Postrider find a message's identity. */
  readonly plain?: Readonly<Record<string, PlainForm>>;
  /** Lanes of each destination: how many instances of a service can share its keys. Default 8. Changing it later is a migration. */
  readonly lanes?: number;
  /** How long a stop waits for running handlers, in milliseconds. Default 8000. */
  readonly drainMs?: number;
  /** How long a send waits for its transport, in milliseconds. Default 60 000. */
  readonly sendDeadlineMs?: number;
  /** The largest body in bytes. Default 1 MiB. */
  readonly maxBodyBytes?: number;
  /** How long a subscription may have a backlog and no progress before health turns red, in milliseconds. Default 30 000. */
  readonly stuckAfterMs?: number;
  /**
   * How long a start waits for a database that does not answer, or without a store for a broker, in milliseconds. Default 60 000.
   *
   * With stores a broker that is away does not hold a start up for more than five seconds: what is sent waits in the outbox, and reading begins when it answers.
   */
  readonly startPatienceMs?: number;
  /** Default: inbox 7 days, effects 30 days, expired and unhandled 14 days, 1000 rows a batch. */
  readonly retention?: Partial<RetentionPolicy>;
  /** Who hears of dead letters, outages and stuck subscriptions. */
  readonly alerts?: AlertOptions;
  /** Default: JSON lines on stderr, from `warn` on. */
  readonly logger?: Logger;
  readonly telemetry?: Telemetry;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly ids?: Ids;
}

/** A running app, or the part of it that this process runs. `await using` stops it. */
export interface Bus extends AsyncDisposable {
  /**
   * Opens stores and transports, checks the topology and starts the services.
   * @throws PR_CONFIG_INVALID, PR_OWNER_MISSING, PR_OWNER_TWICE, PR_FEATURE_REFUSED, PR_STORE_NEEDED
   */
  start(): Promise<void>;
  /** Drains and closes: takes nothing new, lets what runs end within `drainMs`, aborts the rest. May be called twice; a second call with `force` drains no longer. */
  stop(options?: { readonly force?: boolean }): Promise<void>;
  /** Sends in the name of a service of this process: its store, its outbox. */
  as(service: string): Sender;
  /** What operators see and do, over the stores of all services of this process. */
  readonly operations: Operations;
  health(): Promise<Health>;
  /** What the contracts and services need, and how that differs from what is there. */
  plan(): Promise<readonly { readonly transport: string; readonly plan: TopologyPlan }[]>;
}

/** Sends in a service's name, outside a handler. */
export interface Sender {
  /**
   * Sends a command; resolves once it is durable.
   *
   * Delivery: at least once; effectively once by id. Order: per key, in the order of the calls.
   * @throws PR_BODY_INVALID, PR_BODY_TOO_LARGE, PR_OUTCOME_UNKNOWN
   */
  send<Of extends AnyContract>(
    contract: Of,
    body: InputOfContract<Of>,
    options?: SendOptions & { readonly direct?: boolean },
  ): Promise<Sent>;
  /** Publishes an event; resolves once it is durable. */
  publish<Of extends AnyContract>(
    contract: Of,
    body: InputOfContract<Of>,
    options?: SendOptions & { readonly direct?: boolean },
  ): Promise<Sent>;
  /**
   * Sends a command and waits for its reply.
   *
   * Delivery: at least once while the caller waits; it expires with the timeout (default 5000 ms).
   * @throws PR_REQUEST_TIMEOUT, PR_REPLY_FAILED
   */
  request<Of extends AnyContract>(
    contract: Of,
    body: InputOfContract<Of>,
    options?: SendOptions & { readonly timeoutMs?: number; readonly signal?: AbortSignal },
  ): Promise<ReplyOf<Of>>;
  /** Sends or publishes later. */
  schedule<Of extends AnyContract>(contract: Of, body: InputOfContract<Of>, when: When, options?: SendOptions): Promise<Sent>;
  /** Sends or publishes again and again; the same id replaces what was there. A slot is never sent twice. */
  recur<Of extends AnyContract>(
    id: string,
    contract: Of,
    body: InputOfContract<Of>,
    recurrence: Recurrence,
    options?: Omit<SendOptions, "id">,
  ): Promise<Sent>;
  /** Takes back what was scheduled; false when it has left or never was. */
  cancelScheduled(id: string): Promise<boolean>;
  /** Moves what was scheduled. @throws PR_SCHEDULE_UNKNOWN */
  reschedule(id: string, when: When): Promise<void>;
  /**
   * A unit of work of the caller's own: rows and messages together. With `within` it is part of a transaction that the caller has begun and will end.
   * @throws PR_FEATURE_REFUSED, PR_CONFIG_INVALID
   */
  transaction<Result>(work: (unit: UnitOfWork) => Promise<Result>, options?: TransactionOptions): Promise<Result>;
  /** Committed rows of the service's store. */
  readonly read: Sql;
  /** How far the handling of a message has come, if its handler reports it. */
  progressOf(messageId: string): Promise<ProgressReport | undefined>;
}

/** What {@link Sender.transaction} takes besides the work. */
export interface TransactionOptions {
  /**
   * A transaction that was begun elsewhere, on the database of the service's store: a client of `pg`, an `EntityManager` of TypeORM, or
   * `{ query: (text, values) => … }` around another library's. Messages leave once the caller commits, and never if it does not.
   */
  readonly within?: unknown;
}

/** Inside {@link Sender.transaction}: what is done here is committed together. */
export interface UnitOfWork {
  readonly tx: Sql;
  readonly send: <Of extends AnyContract>(contract: Of, body: InputOfContract<Of>, options?: SendOptions) => Sent;
  readonly publish: <Of extends AnyContract>(contract: Of, body: InputOfContract<Of>, options?: SendOptions) => Sent;
  readonly schedule: <Of extends AnyContract>(contract: Of, body: InputOfContract<Of>, when: When, options?: SendOptions) => Sent;
}

/** Whether all is well, for `/readyz`. */
export interface Health {
  readonly isReady: boolean;
  readonly state: "starting" | "running" | "stopping" | "stopped";
  readonly subscriptions: readonly SubscriptionHealth[];
  /** Outboxes that can be read from their database's own log: how that goes. Absent where there is none. */
  readonly outboxes?: readonly OutboxHealth[];
  /** Why it is not ready, where no subscription says it: they could not be looked at (a store or transport that failed for good), or a broker takes no messages. */
  readonly reason?: string;
}

/** How the outbox of one service is read. */
export interface OutboxHealth extends OutboxStatus {
  readonly service: string;
}

/** How one subscription stands. */
export interface SubscriptionHealth {
  readonly service: string;
  readonly destination: string;
  readonly state: "ok" | "outage" | "stuck" | "paused";
  readonly lanes: number;
  readonly inFlight: number;
  readonly backlog: number;
  readonly lagSeconds: number | undefined;
}

/** What operators see and do. Ids are unique over all services. */
export interface Operations extends LetterOperations {
  destinations(): Promise<readonly DestinationStatus[]>;
  /**
   * Forgets the subscription of a service that is no more, so that it keeps no messages back; does nothing where there is none. `destinations()` names them.
   *
   * What the service's store holds stays. `dropUnread` (default false) gives up what it has not read.
   * @throws PR_SUBSCRIPTION_USED while a process reads it, while it is part of this app, or when it has unread messages; PR_FEATURE_REFUSED where the transport cannot
   */
  retire(subscription: { readonly service: string; readonly destination: string; readonly dropUnread?: boolean }): Promise<void>;
}
