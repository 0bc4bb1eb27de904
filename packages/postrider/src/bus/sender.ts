import { isPromise } from "../base/deferred.ts";
import { fail } from "../base/errors.ts";
import type { AnyContract, InputOfContract, ReplyOf } from "../contracts/contract.ts";
import { dueAtOf } from "../delivery/handler-context.ts";
import { lazySql } from "../delivery/lazy-sql.ts";
import type { Runtime } from "../delivery/runtime.ts";
import { UnitOfWork as StoreUnit } from "../delivery/unit-of-work.ts";
import { newIdentity } from "../envelope/identity.ts";
import type { Identify } from "../envelope/identity.ts";
import type { SendOptions, Sent, When } from "../pipeline/context.ts";
import type { Sql } from "../ports/sql.ts";
import type { ProgressReport } from "../ports/progress.ts";
import type { Recurrence } from "../ports/schedule.ts";
import type { Store } from "../ports/store.ts";
import { putRecurring } from "../scheduling/recurrence.ts";
import type { Sender, UnitOfWork } from "./api.ts";
import { Outbound } from "./outbound.ts";
import type { Requests } from "./requests.ts";

const REQUEST_TIMEOUT_MS = 5000;

/** What a sender stands on. */
export interface SenderOptions {
  readonly runtime: Runtime;
  readonly requests: Requests;
  /** Throws unless the bus runs. */
  readonly guard: (call: string) => void;
}

/** Sends in a service's name, outside its handlers. */
export class ServiceSender implements Sender {
  readonly #options: SenderOptions;
  readonly #outbound: Outbound;
  readonly #identify: Identify;

  constructor(options: SenderOptions) {
    this.#options = options;
    this.#outbound = new Outbound(options.runtime);
    this.#identify = newIdentity(options.runtime.ids);
  }

  send<Of extends AnyContract>(
    contract: Of,
    body: InputOfContract<Of>,
    options?: SendOptions & { readonly direct?: boolean },
  ): Promise<Sent> {
    return this.#emit("send", contract, body, options);
  }

  publish<Of extends AnyContract>(
    contract: Of,
    body: InputOfContract<Of>,
    options?: SendOptions & { readonly direct?: boolean },
  ): Promise<Sent> {
    return this.#emit("publish", contract, body, options);
  }

  async request<Of extends AnyContract>(
    contract: Of,
    body: InputOfContract<Of>,
    options: SendOptions & { readonly timeoutMs?: number; readonly signal?: AbortSignal } = {},
  ): Promise<ReplyOf<Of>> {
    this.#options.guard("request");
    const { requests, runtime } = this.#options;
    if (contract.reply === undefined) throw fail("PR_REPLY_UNEXPECTED", { contract: contract.name });
    const { timeoutMs = REQUEST_TIMEOUT_MS, signal, ...sending } = options;
    const replyTo = await requests.address();
    const { id, messages } = runtime.compose(contract, body, {
      options: { expiresAfterMs: timeoutMs, ...sending },
      identify: this.#identify,
      replyTo,
    });
    const composed = await messages;
    const answer = requests.expect(id, contract, timeoutMs, signal);
    this.#outbound.send(composed, true).catch((error: unknown) => requests.forget(id, error));
    return (await answer) as ReplyOf<Of>;
  }

  async schedule<Of extends AnyContract>(contract: Of, body: InputOfContract<Of>, when: When, options: SendOptions = {}): Promise<Sent> {
    this.#options.guard("schedule");
    return this.transaction(async (unit) => unit.schedule(contract, body, when, options));
  }

  async recur<Of extends AnyContract>(
    id: string,
    contract: Of,
    body: InputOfContract<Of>,
    recurrence: Recurrence,
    options: Omit<SendOptions, "id"> = {},
  ): Promise<Sent> {
    this.#options.guard("recur");
    const { runtime } = this.#options;
    const store = this.#storeFor("recur");
    const [message] = await runtime.compose(contract, body, { options, identify: this.#identify }).messages;
    const nowMs = await store.now();
    await store.transaction((transaction) => putRecurring(transaction, { id, message: message!, recurrence }, nowMs));
    runtime.wake("schedule");
    return { id };
  }

  cancelScheduled(id: string): Promise<boolean> {
    this.#options.guard("cancelScheduled");
    return this.#storeFor("cancelScheduled").transaction((transaction) => transaction.schedule.cancel(id));
  }

  async reschedule(id: string, when: When): Promise<void> {
    this.#options.guard("reschedule");
    const { runtime } = this.#options;
    const wasThere = await this.#storeFor("reschedule").transaction((transaction) =>
      transaction.schedule.reschedule(id, dueAtOf(when, runtime.clock)),
    );
    if (!wasThere) throw fail("PR_SCHEDULE_UNKNOWN", { id });
    runtime.wake("schedule");
  }

  async transaction<Result>(work: (unit: UnitOfWork) => Promise<Result>): Promise<Result> {
    this.#options.guard("transaction");
    this.#storeFor("transaction");
    const unit = new StoreUnit({ runtime: this.#options.runtime, inbox: undefined, settleIn: undefined });
    try {
      const result = await work(this.#unitApi(unit));
      await unit.complete();
      return result;
    } catch (error) {
      await unit.abandon(error);
      throw error;
    }
  }

  get read(): Sql {
    return this.#storeFor("read").read;
  }

  progressOf(messageId: string): Promise<ProgressReport | undefined> {
    return this.#storeFor("progressOf").progress.get(messageId);
  }

  async #emit(
    call: string,
    contract: AnyContract,
    body: unknown,
    options: (SendOptions & { readonly direct?: boolean }) | undefined,
  ): Promise<Sent> {
    this.#options.guard(call);
    const { runtime } = this.#options;
    const { id, messages: composed } = runtime.compose(contract, body, { options, identify: this.#identify });
    const messages = isPromise(composed) ? await composed : composed;
    await this.#outbound.send(messages, options?.direct === true);
    runtime.telemetry.sent(runtime.service, contract.name, messages.length);
    return { id };
  }

  #unitApi(unit: StoreUnit): UnitOfWork {
    const { runtime } = this.#options;
    const guard = (call: string): void => {
      if (unit.isEnded) throw fail("PR_CONTEXT_SEALED", { call, handler: `a transaction of ${runtime.service}` });
    };
    const emit = (call: string, contract: AnyContract, body: unknown, options?: SendOptions): Sent => {
      guard(call);
      const { id, messages } = runtime.compose(contract, body, { options, identify: this.#identify });
      unit.add(messages);
      return { id };
    };
    return {
      tx: lazySql((call) => {
        guard(call);
        return unit.open();
      }),
      send: (contract, body, options) => emit("send", contract, body, options),
      publish: (contract, body, options) => emit("publish", contract, body, options),
      schedule: (contract, body, when, options) => {
        guard("schedule");
        const leavesAtMs = dueAtOf(when, runtime.clock);
        const { id, messages } = runtime.compose(contract, body, { options, identify: this.#identify, leavesAtMs });
        unit.schedule(messages, id, leavesAtMs);
        return { id };
      },
    };
  }

  #storeFor(feature: string): Store {
    const { store, service } = this.#options.runtime;
    if (store === undefined) throw fail("PR_STORE_NEEDED", { feature, service });
    return store;
  }
}
