import { isPromise } from "../base/deferred.ts";
import { fail } from "../base/errors.ts";
import type { AnyContract, InputOfContract, ReplyOf } from "../contracts/contract.ts";
import { refuseInsideUnit, within } from "../delivery/around.ts";
import type { UnitHolder } from "../delivery/around.ts";
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
import type { Sender, TransactionOptions, UnitOfWork } from "./api.ts";
import { Outbound } from "./outbound.ts";
import type { Connected } from "./outbound.ts";
import { aborted } from "./requests.ts";
import type { Requests } from "./requests.ts";

const REQUEST_TIMEOUT_MS = 5000;

/** What a sender stands on. */
export interface SenderOptions {
  readonly runtime: Runtime;
  readonly requests: Requests;
  readonly connected: Connected;
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
    this.#outbound = new Outbound(options.runtime, options.connected);
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
    this.#guard("request");
    const { requests, runtime } = this.#options;
    if (contract.reply === undefined) throw fail("PR_REPLY_UNEXPECTED", { contract: contract.name });
    const { timeoutMs = REQUEST_TIMEOUT_MS, signal, ...sending } = options;
    if (!(timeoutMs > 0)) throw fail("PR_SEND_INVALID", { contract: contract.name, mistakes: "timeoutMs must be more than 0" });
    const address = requests.address();
    const replyTo = isPromise(address) ? await address : address;
    const { id, messages } = runtime.compose(contract, body, {
      options: { expiresAfterMs: timeoutMs, ...sending },
      identify: this.#identify,
      replyTo,
    });
    const composed = isPromise(messages) ? await messages : messages;
    if (signal?.aborted === true) throw aborted(contract, signal); // before anything is sent
    const answer = requests.expect(id, contract, timeoutMs, signal);
    this.#outbound.send(composed, true).catch((error: unknown) => requests.forget(id, error));
    return (await answer) as ReplyOf<Of>;
  }

  async schedule<Of extends AnyContract>(contract: Of, body: InputOfContract<Of>, when: When, options: SendOptions = {}): Promise<Sent> {
    this.#guard("schedule");
    return this.transaction(async (unit) => unit.schedule(contract, body, when, options));
  }

  async recur<Of extends AnyContract>(
    id: string,
    contract: Of,
    body: InputOfContract<Of>,
    recurrence: Recurrence,
    options: Omit<SendOptions, "id"> = {},
  ): Promise<Sent> {
    this.#guard("recur");
    const { runtime } = this.#options;
    const store = this.#storeFor("recur");
    const [message] = await runtime.compose(contract, body, { options, identify: this.#identify }).messages;
    const nowMs = await store.now();
    await store.transaction((transaction) => putRecurring(transaction, { id, message: message!, recurrence }, nowMs));
    runtime.wakeScheduler();
    return { id };
  }

  cancelScheduled(id: string): Promise<boolean> {
    this.#guard("cancelScheduled");
    return this.#storeFor("cancelScheduled").transaction((transaction) => transaction.schedule.cancel(id));
  }

  async reschedule(id: string, when: When): Promise<void> {
    this.#guard("reschedule");
    const { runtime } = this.#options;
    const wasThere = await this.#storeFor("reschedule").transaction((transaction) =>
      transaction.schedule.reschedule(id, dueAtOf(when, runtime.clock)),
    );
    if (!wasThere) throw fail("PR_SCHEDULE_UNKNOWN", { id });
    runtime.wakeScheduler();
  }

  async transaction<Result>(work: (unit: UnitOfWork) => Promise<Result>, options: TransactionOptions = {}): Promise<Result> {
    if (options.within === undefined) this.#guard("transaction");
    else this.#options.guard("transaction"); // it joins what is open
    const store = this.#storeFor("transaction");
    const { runtime } = this.#options;
    const own = options.within === undefined ? runtime : { ...runtime, store: storeWithin(store, options.within) };
    const unit = new StoreUnit(own, undefined, undefined);
    try {
      const result = await within(holderOf(unit, runtime), () => work(this.#unitApi(unit)));
      await unit.complete();
      return result;
    } catch (error) {
      await unit.abandon(error);
      throw error;
    }
  }

  get read(): Sql {
    refuseInsideUnit(`bus.as("${this.#options.runtime.service}").read`, this.#options.runtime); // it may wait for the unit's end, and never sees its rows
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
    this.#guard(call);
    const { runtime } = this.#options;
    const { id, messages: composed } = runtime.compose(contract, body, { options, identify: this.#identify });
    const messages = isPromise(composed) ? await composed : composed;
    const { length } = messages; // not they: nothing of them is kept while they are under way
    await this.#outbound.send(messages, options?.direct === true);
    runtime.telemetry.sent(runtime.service, contract.name, length);
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
      tx: lazySql(unit, guard),
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

  /** Whether this may be called now, and here. */
  #guard(call: string): void {
    const { guard, runtime } = this.#options;
    guard(call);
    refuseInsideUnit(`bus.as("${runtime.service}").${call}`, runtime);
  }

  #storeFor(feature: string): Store {
    const { store, service } = this.#options.runtime;
    if (store === undefined) throw fail("PR_STORE_NEEDED", { feature, service });
    return store;
  }
}

function storeWithin(store: Store, handle: unknown): Pick<Store, "transaction"> {
  if (store.within !== undefined) return store.within(handle);
  throw fail("PR_FEATURE_REFUSED", { feature: "transaction({ within })", adapter: store.name, reason: "its transactions are its own" });
}

function holderOf(unit: StoreUnit, runtime: Runtime): UnitHolder {
  return {
    runtime,
    holderName: `a transaction of ${runtime.service}`,
    get hasOpenUnit() {
      return unit.isOpen && !unit.isEnded;
    },
  };
}
