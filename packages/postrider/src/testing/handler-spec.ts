import assert from "node:assert/strict";
import type { UnitOfWork } from "../bus/api.ts";
import type { AnyContract, InputOfContract } from "../contracts/contract.ts";
import type { SendOptions } from "../pipeline/context.ts";
import type { Service } from "../pipeline/service.ts";
import type { SqlValue } from "../ports/sql.ts";
import type { RecordedMessage } from "./recorder.ts";
import { testBus } from "./test-bus.ts";
import type { TestBus } from "./test-bus.ts";

/** A message that a handler is expected to send: its contract and its body. */
export type ExpectedMessage = readonly [contract: AnyContract, body: unknown];

/** Rows that are expected to be there afterwards. */
export interface ExpectedRows {
  readonly sql: string;
  readonly parameters?: readonly SqlValue[];
  readonly rows: readonly object[];
}

/** What a handler is expected to do. What is not named is expected not to happen; rows are looked at only where named. */
export interface Expectation {
  /** Commands, in order. */
  readonly sends?: readonly ExpectedMessage[];
  /** Events, in order. */
  readonly publishes?: readonly ExpectedMessage[];
  /** The answer. Left out for a command with a reply schema: not looked at. */
  readonly replies?: unknown;
  /** What the handler throws: its `code`, or what its message must match. */
  readonly throws?: string | RegExp;
  readonly rows?: readonly ExpectedRows[];
}

/** What is there before the message comes. */
export interface HandlerSpec {
  /** Runs a statement. */
  given(sql: string, ...parameters: readonly SqlValue[]): HandlerSpec;
  /** Does something in a unit of work of the service's own. */
  given(work: (unit: UnitOfWork) => Promise<unknown>): HandlerSpec;
  /** The message. */
  when<Of extends AnyContract>(contract: Of, body: InputOfContract<Of>, options?: SendOptions): HandledSpec;
}

/** What follows from it. */
export interface HandledSpec {
  /** Runs it all: once, without retries. Fails when what happened is not what was expected. */
  expect(expectation: Expectation): Promise<void>;
}

/** What {@link handlerSpec} takes. */
export interface HandlerSpecOptions {
  /** Contracts that the service's handlers send and that no expectation names. */
  readonly contracts?: readonly AnyContract[];
}

/**
 * Tests a service's handlers one message at a time, as they run: in memory, in a real unit of work.
 *
 * `await handlerSpec(ordering).given("create table …").when(PlaceOrder, order).expect({ publishes: [[OrderPlaced, order]] })`
 */
export function handlerSpec(service: Service, options: HandlerSpecOptions = {}): HandlerSpec {
  return new Spec({ ...service, ...withoutRetries(service) }, options.contracts ?? []);
}

type Step = (unit: UnitOfWork) => Promise<unknown>;

class Spec implements HandlerSpec {
  readonly #service: Service;
  readonly #contracts: readonly AnyContract[];
  readonly #steps: readonly Step[];

  constructor(service: Service, contracts: readonly AnyContract[], steps: readonly Step[] = []) {
    this.#service = service;
    this.#contracts = contracts;
    this.#steps = steps;
  }

  given(what: string | Step, ...parameters: readonly SqlValue[]): HandlerSpec {
    const step: Step = typeof what === "string" ? ({ tx }) => tx.run(what, ...parameters) : what;
    return new Spec(this.#service, this.#contracts, [...this.#steps, step]);
  }

  when<Of extends AnyContract>(contract: Of, body: InputOfContract<Of>, options?: SendOptions): HandledSpec {
    return {
      expect: (expectation) => this.#run(contract, (app) => dispatch(app, this.#service.name, contract, body, options), expectation),
    };
  }

  async #run(contract: AnyContract, act: (app: TestBus) => Promise<Outcome>, expectation: Expectation): Promise<void> {
    const named = [...(expectation.sends ?? []), ...(expectation.publishes ?? [])].map(([one]) => one);
    const own = new Set(this.#service.handlers.map((handler) => handler.contract));
    const external = [...new Set([...this.#contracts, ...named, contract])].filter((one) => !own.has(one));
    await using app = await testBus({ services: [this.#service], external });
    const sender = app.as(this.#service.name);
    for (const step of this.#steps) await sender.transaction(step);
    await app.settled();
    const outcome = await act(app);
    checkFailure(app, outcome, expectation);
    checkMessages("sends", caused(app.sent(), outcome), expectation.sends);
    checkMessages("publishes", caused(app.published(), outcome), expectation.publishes);
    if ("replies" in expectation) assert.deepStrictEqual(asTravelled(outcome.reply), asTravelled(expectation.replies), "the reply");
    for (const { sql, parameters = [], rows } of expectation.rows ?? []) {
      const found = await sender.read.all(sql, ...parameters);
      assert.deepStrictEqual(
        found.map((row) => ({ ...row })),
        rows,
        sql,
      );
    }
  }
}

interface Outcome {
  readonly id: string;
  readonly reply: unknown;
}

async function dispatch(
  app: TestBus,
  service: string,
  contract: AnyContract,
  body: unknown,
  options: SendOptions | undefined,
): Promise<Outcome> {
  const sender = app.as(service);
  const id = options?.id ?? `given-when-then-${contract.name}`;
  const all = { ...options, id };
  let sending: Promise<unknown>;
  if (contract.reply !== undefined) sending = sender.request(contract, body, all).catch(() => undefined);
  else sending = contract.kind === "command" ? sender.send(contract, body, all) : sender.publish(contract, body, all);
  await app.settled();
  // A handler that failed sends no answer: what waits for it is over when its time is.
  if (contract.reply !== undefined && app.replied().length === 0) await app.advance(5000);
  return { id, reply: contract.reply === undefined ? undefined : await sending };
}

function checkFailure(app: TestBus, { id }: Outcome, { throws }: Expectation): void {
  const failure = app.failed().find((run) => run.id === id);
  if (failure === undefined) {
    assert.ok(throws === undefined, `the handler was expected to throw ${String(throws)}, and did not`);
    assert.ok(
      app.handled().some((run) => run.id === id),
      "the message was not handled: the service has no handler for it, or its `where` does not fit",
    );
    return;
  }
  if (throws === undefined) throw failure.error;
  const { code, message } = failure.error as { readonly code?: unknown; readonly message?: unknown };
  if (typeof throws === "string") assert.equal(code, throws, "the code of what the handler threw");
  else assert.match(String(message), throws);
}

function checkMessages(what: string, found: readonly RecordedMessage[], expected: readonly ExpectedMessage[] = []): void {
  const plain = found.map(({ contract, body }) => ({ contract, body }));
  assert.deepStrictEqual(
    plain,
    expected.map(([contract, body]) => ({ contract: contract.name, body: asTravelled(body) })),
    `what the handler ${what}`,
  );
}

function caused(messages: readonly RecordedMessage[], { id }: Outcome): RecordedMessage[] {
  return messages.filter(({ envelope }) => envelope.causationid === id);
}

/** A body as JSON carries it, so that dates and missing fields compare as they arrive. */
function asTravelled(body: unknown): unknown {
  return body === undefined ? undefined : JSON.parse(JSON.stringify(body));
}

/** One run, then a dead letter: a failure shows at once. */
function withoutRetries(service: Service): Pick<Service, "handlers" | "options"> {
  const retry = { immediate: 0, delayed: 0 };
  return {
    options: { ...service.options, retry: { ...service.options.retry, ...retry } },
    handlers: service.handlers.map((handler) => ({
      ...handler,
      options: { ...handler.options, retry: { ...handler.options.retry, ...retry } },
    })),
  };
}
