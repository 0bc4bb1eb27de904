import type { Clock } from "../base/clock.ts";
import type { Ids } from "../base/ids.ts";
import type { Random } from "../base/random.ts";
import type { AnyContract, ContractKind } from "../contracts/contract.ts";
import type { Envelope, Outgoing } from "../envelope/envelope.ts";
import type { Identify } from "../envelope/identity.ts";
import type { Draft } from "../envelope/outgoing.ts";
import type { SendOptions } from "../pipeline/context.ts";
import type { Logger } from "../ports/logger.ts";
import type { Store, StoreTransaction } from "../ports/store.ts";
import type { Telemetry } from "../ports/telemetry.ts";
import type { Colocated, Transport } from "../ports/transport.ts";
import type { LoneTurn } from "./starts.ts";
import type { MaybePromise } from "../base/deferred.ts";

/** Something that a person should hear of, as the delivery runtime knows it. */
export interface RuntimeAlert {
  readonly kind: "deadLetter" | "outage" | "outageOver" | "lanePaused" | "failed";
  readonly service: string;
  readonly text: string;
  readonly contract?: string;
  readonly code?: string;
  readonly deadLetterId?: string;
}

/** What the delivery runtime of one service stands on. */
export interface Runtime {
  readonly service: string;
  /** Undefined with `store: "none"`. */
  readonly store: Store | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly ids: Ids;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
  readonly lone: LoneTurn;
  readonly maxBodyBytes: number;
  readonly sendDeadlineMs: number;
  readonly transportOf: (kind: ContractKind) => Transport;
  readonly alert: (alert: RuntimeAlert) => void;
  /** Called after a commit that changed the schedule: when the first of it is due, in milliseconds since the epoch. */
  readonly wakeScheduler: (dueAt?: number) => void;
  /** Makes the messages of one send: validated, with envelope, adapted copies behind it. */
  readonly compose: Compose;
}

/** See {@link Runtime.compose}. @throws PR_BODY_INVALID, PR_BODY_TOO_LARGE, PR_SEND_INVALID, PR_OWNER_MISSING, PR_CONTRACT_UNKNOWN */
export type Compose = (contract: AnyContract, body: unknown, request: ComposeRequest) => Draft;

/** How a message is made. */
export interface ComposeRequest {
  readonly options: SendOptions | undefined;
  readonly identify: Identify;
  /** The message that is being handled. */
  readonly cause?: Envelope;
  readonly replyTo?: string;
  /** For what is scheduled, in milliseconds since the epoch. */
  readonly leavesAtMs?: number;
}

/** The transport of a destination that lives in the service's own database, if it does. */
export function colocatedOf(runtime: { readonly store: object | undefined }, transport: Transport): Colocated | undefined {
  const { colocated } = transport;
  return runtime.store !== undefined && colocated?.shares(runtime.store) === true ? colocated : undefined;
}

/** Writes messages in a transaction: into the log itself where it is in the same database, else into the outbox. */
export function enlist(
  runtime: Pick<Runtime, "transportOf"> & { readonly store: object | undefined },
  transaction: StoreTransaction,
  batch: readonly Outgoing[],
): MaybePromise<void> {
  if (batch.length === 0) return undefined;
  const commands = runtime.transportOf("command");
  const events = runtime.transportOf("event");
  if (commands === events) return enlistOn(runtime, commands, transaction, batch);
  const isEvent = (message: Outgoing): boolean => message.envelope.kind === "event";
  return inOrder([
    () =>
      enlistOn(
        runtime,
        commands,
        transaction,
        batch.filter((message) => !isEvent(message)),
      ),
    () => enlistOn(runtime, events, transaction, batch.filter(isEvent)),
  ]);
}

function enlistOn(
  runtime: { readonly store: object | undefined },
  transport: Transport,
  transaction: StoreTransaction,
  batch: readonly Outgoing[],
): MaybePromise<void> {
  if (batch.length === 0) return undefined;
  const colocated = colocatedOf(runtime, transport);
  return colocated === undefined ? transaction.outbox.append(batch) : colocated.enlist(transaction, batch);
}

/** Runs steps one after another; stays synchronous as long as they do. */
export function inOrder(steps: readonly (() => MaybePromise<unknown>)[], from = 0): MaybePromise<void> {
  for (let at = from; at < steps.length; at++) {
    const result = steps[at]!();
    if (result instanceof Promise) return result.then(() => inOrder(steps, at + 1));
  }
  return undefined;
}
