import type { Clock } from "../base/clock.ts";
import { fail } from "../base/errors.ts";
import type { ErrorCode } from "../base/errors.ts";
import type { AnyContract } from "../contracts/contract.ts";
import { runIdentity } from "../envelope/identity.ts";
import type { Identify } from "../envelope/identity.ts";
import type { Draft } from "../envelope/outgoing.ts";
import type { HandlerContext, MessageFacts, SendOptions, Sent, UnitOfWorkSql, When } from "../pipeline/context.ts";
import type { Logger } from "../ports/logger.ts";
import type { Once } from "../effects/once.ts";
import type { UnitHolder } from "./around.ts";
import { boundLogger } from "./bound-logger.ts";
import { lazySql } from "./lazy-sql.ts";
import { replyTo } from "./reply.ts";
import type { Runtime } from "./runtime.ts";
import type { UnitOfWork } from "./unit-of-work.ts";
import type { Work } from "./work.ts";

/** The context of one run. Everything is made at first use: most handlers need little of it. */
export class RunContext implements HandlerContext<unknown>, UnitHolder {
  readonly runtime: Runtime;
  readonly #work: Work;
  readonly #unit: UnitOfWork;
  readonly #once: Once | undefined;
  /** 1 for the first run. */
  readonly #attempt: number;
  #abort: AbortController | undefined;
  #facts: MessageFacts | undefined;
  #log: Logger | undefined;
  #identify: Identify | undefined;
  #hasReplied = false;

  constructor(runtime: Runtime, work: Work, unit: UnitOfWork, once: Once | undefined) {
    this.runtime = runtime;
    this.#work = work;
    this.#unit = unit;
    this.#once = once;
    this.#attempt = work.failures + 1;
  }

  get hasReplied(): boolean {
    return this.#hasReplied;
  }

  get message(): MessageFacts {
    return (this.#facts ??= factsOf(this.#work, this.#attempt));
  }

  get clock(): Clock {
    return this.runtime.clock;
  }

  get signal(): AbortSignal {
    return (this.#abort ??= new AbortController()).signal;
  }

  get log(): Logger {
    const { runtime } = this;
    const work = this.#work;
    const { id, type, correlationid, causationid, conversationid } = work.ready.envelope;
    return (this.#log ??= boundLogger(runtime.logger, {
      service: runtime.service,
      contract: type,
      messageId: id,
      correlationId: correlationid,
      causationId: causationid,
      conversationId: conversationid,
      attempt: this.#attempt,
    }));
  }

  get tx(): UnitOfWorkSql {
    return lazySql(this.#unit, (call) => this.#guard(call));
  }

  get send(): HandlerContext<unknown>["send"] {
    return (contract, body, options) => this.#emit("send", contract, body, options);
  }

  get publish(): HandlerContext<unknown>["publish"] {
    return (contract, body, options) => this.#emit("publish", contract, body, options);
  }

  get schedule(): HandlerContext<unknown>["schedule"] {
    return (contract, body, when, options) => {
      this.#guard("schedule");
      const dueAt = dueAtOf(when, this.clock);
      const { id, messages } = this.#compose(contract, body, options, dueAt);
      this.#unit.schedule(messages, id, dueAt);
      return { id };
    };
  }

  get cancelScheduled(): HandlerContext<unknown>["cancelScheduled"] {
    return (id) => {
      this.#guard("cancelScheduled");
      this.#unit.cancel(id);
    };
  }

  get reply(): HandlerContext<unknown>["reply"] {
    return (body) => {
      this.#guard("reply");
      const { runtime } = this;
      const [work, unit] = [this.#work, this.#unit];
      this.#hasReplied = true;
      unit.add(replyTo(runtime, work.ready, body));
    };
  }

  get progress(): HandlerContext<unknown>["progress"] {
    return (percent, note) => {
      this.#guard("progress");
      const { runtime } = this;
      const work = this.#work;
      if (runtime.store === undefined) throw fail("PR_STORE_NEEDED", { feature: "progress", service: runtime.service });
      const report = { percent: Math.min(100, Math.max(0, percent)), at: runtime.clock.now(), ...(note === undefined ? {} : { note }) };
      runtime.store.progress
        .report(work.ready.envelope.id, report)
        .catch((error: unknown) => this.log.warn({ err: error }, "progress could not be stored"));
    };
  }

  get once(): HandlerContext<unknown>["once"] {
    return async (name, effect) => {
      this.#guard("once");
      const { runtime } = this;
      const [work, unit, once] = [this.#work, this.#unit, this.#once];
      if (once === undefined) throw fail("PR_STORE_NEEDED", { feature: "once", service: runtime.service });
      if (unit.isOpen) throw fail("PR_TRANSACTION_OPEN", { call: "once", handler: this.holderName, instead: "" });
      const { envelope, definition } = work.ready;
      return once(
        { rootId: envelope.rootid ?? envelope.id, service: runtime.service, handler: definition.contract.name, name },
        effect,
        this.signal,
      );
    };
  }

  /** Ends the context's life from outside: its signal aborts. */
  abort(reason: unknown): void {
    (this.#abort ??= new AbortController()).abort(reason);
  }

  get hasOpenUnit(): boolean {
    return this.#unit.isOpen && !this.#unit.isEnded;
  }

  get holderName(): string {
    return `${this.#work.ready.definition.contract.name} in ${this.runtime.service}`;
  }

  #guard(call: string): void {
    if (!this.#unit.isEnded) return;
    const { runtime } = this;
    const code: ErrorCode = "PR_CONTEXT_SEALED";
    const error = fail(code, { call, handler: this.holderName });
    // An interrupted run goes on until it notices: no mistake of its handler.
    const level = this.#abort?.signal.aborted === true ? "debug" : "error";
    runtime.logger[level]({ err: error, code, service: runtime.service, messageId: this.#work.ready.envelope.id }, error.message);
    throw error;
  }

  #emit(call: string, contract: AnyContract, body: unknown, options: SendOptions | undefined): Sent {
    this.#guard(call);
    const { id, messages } = this.#compose(contract, body, options);
    this.#unit.add(messages);
    return { id };
  }

  #compose(contract: AnyContract, body: unknown, options: SendOptions | undefined, leavesAtMs?: number): Draft {
    const { runtime } = this;
    const work = this.#work;
    const { envelope, definition } = work.ready;
    this.#identify ??= runIdentity(envelope, { service: runtime.service, handler: definition.contract.name });
    return runtime.compose(contract, body, {
      options,
      identify: this.#identify,
      cause: envelope,
      ...(leavesAtMs === undefined ? {} : { leavesAtMs }),
    });
  }
}

/** When something scheduled is due, in milliseconds since the epoch. */
export function dueAtOf(when: When, clock: Clock): number {
  const { at, delayMs } = (when ?? {}) as { readonly at?: Date; readonly delayMs?: number };
  const dueAt = at === undefined ? clock.now() + Number(delayMs) : Number(at);
  if (!Number.isFinite(dueAt))
    throw fail("PR_CONFIG_INVALID", { mistakes: "a message is scheduled for no valid time: say { at: new Date(…) } or { delayMs: … }" });
  return dueAt;
}

function factsOf(work: Work, attempt: number): MessageFacts {
  const { envelope } = work.ready;
  return {
    id: envelope.id,
    contract: envelope.type,
    version: envelope.contractversion,
    kind: envelope.kind,
    source: envelope.source,
    time: envelope.time,
    key: work.key,
    correlationId: envelope.correlationid ?? envelope.id,
    causationId: envelope.causationid,
    conversationId: envelope.conversationid ?? envelope.id,
    rootId: envelope.rootid ?? envelope.id,
    tenant: envelope.tenant,
    headers: work.found.headers,
    attempt,
    isRedrive: work.isRedrive,
  };
}
