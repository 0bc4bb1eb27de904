import type { Clock, Timer } from "../base/clock.ts";
import { deferred } from "../base/deferred.ts";
import type { Deferred } from "../base/deferred.ts";
import { fail } from "../base/errors.ts";
import type { PostriderError } from "../base/errors.ts";
import type { AnyContract } from "../contracts/contract.ts";
import { validateReply } from "../contracts/read.ts";
import { REPLY_STATUS } from "../delivery/reply.ts";
import type { FoundMessage } from "../envelope/envelope.ts";
import { parseJson } from "../envelope/json.ts";
import type { ReplyInbox, Transport } from "../ports/transport.ts";

interface Waiting {
  readonly contract: AnyContract;
  readonly answer: Deferred<unknown>;
  readonly timer: Timer;
  /** Listens no longer for the caller's signal, which may live on for long. */
  readonly forget: () => void;
}

/** What waits for answers: one inbox per process and transport, opened at the first request. */
export class Requests {
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #waiting = new Map<string, Waiting>();
  #inbox: Promise<ReplyInbox> | undefined;

  constructor(transport: Transport, clock: Clock) {
    this.#transport = transport;
    this.#clock = clock;
  }

  /** Where answers to this process go. */
  async address(): Promise<string> {
    this.#inbox ??= this.#transport.replyInbox((message) => this.#answered(message));
    return (await this.#inbox).address;
  }

  /** The answer to a message, or PR_REQUEST_TIMEOUT. Call it before the message is sent. */
  expect(id: string, contract: AnyContract, timeoutMs: number, signal: AbortSignal | undefined): Promise<unknown> {
    const answer = deferred<unknown>();
    const timer = this.#clock.after(timeoutMs, () => this.#fail(id, fail("PR_REQUEST_TIMEOUT", { contract: contract.name, timeoutMs })), {
      keepAlive: true,
    });
    const abort = (): void => this.#fail(id, aborted(contract, signal!));
    signal?.addEventListener("abort", abort, { once: true });
    this.#waiting.set(id, { contract, answer, timer, forget: () => signal?.removeEventListener("abort", abort) });
    return answer.promise;
  }

  /** The request could not be sent. */
  forget(id: string, reason: unknown): void {
    this.#fail(id, reason);
  }

  async close(): Promise<void> {
    for (const id of this.#waiting.keys()) this.#fail(id, fail("PR_SHUTDOWN", { during: "a request" }));
    await (await this.#inbox)?.close();
  }

  #answered(message: FoundMessage): void {
    const id = message.envelope?.inreplyto;
    const waiting = id === undefined ? undefined : this.#waiting.get(id);
    if (id === undefined || waiting === undefined) return; // too late: the asker has gone
    const read = parseJson(message.body);
    if (read.unreadable !== undefined)
      return this.#fail(id, fail("PR_BODY_UNREADABLE", { destination: "the reply inbox", detail: read.unreadable }));
    if (message.headers[REPLY_STATUS] === "failed") {
      const { code, reason } = read.value as { code?: unknown; reason?: unknown };
      const service = message.envelope!.source.slice(1);
      return this.#fail(
        id,
        fail("PR_REPLY_FAILED", { service, contract: waiting.contract.name, reason: failureText(String(code), String(reason)) }),
      );
    }
    void this.#accept(id, waiting, read.value);
  }

  async #accept(id: string, waiting: Waiting, body: unknown): Promise<void> {
    const valid = await validateReply(waiting.contract, body);
    if (valid.error !== undefined) return this.#fail(id, valid.error);
    this.#take(id)?.answer.resolve(valid.body);
  }

  #fail(id: string, reason: unknown): void {
    this.#take(id)?.answer.reject(reason);
  }

  #take(id: string): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    waiting?.timer.cancel();
    waiting?.forget();
    return waiting;
  }
}

/** Our own errors begin with their code, and end in a full stop, as the text around this does. */
function failureText(code: string, reason: string): string {
  return (reason.startsWith(`${code}:`) ? reason : `${code}: ${reason}`).replace(/\.$/, "");
}

/** What a request rejects with whose caller has given up. */
export function aborted(contract: AnyContract, signal: AbortSignal): PostriderError {
  return fail("PR_ABORTED", { during: `the request ${contract.name}` }, { cause: signal.reason });
}
