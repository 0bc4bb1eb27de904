import type { Clock, Timer } from "../base/clock.ts";
import { deferred, isPromise } from "../base/deferred.ts";
import type { Deferred, MaybePromise } from "../base/deferred.ts";
import { fail } from "../base/errors.ts";
import type { PostriderError } from "../base/errors.ts";
import { KeyMap } from "../base/key-map.ts";
import type { AnyContract } from "../contracts/contract.ts";
import { validateReply } from "../contracts/read.ts";
import type { BodyReading } from "../contracts/read.ts";
import { REPLY_STATUS } from "../delivery/reply.ts";
import type { FoundMessage } from "../envelope/envelope.ts";
import { parseJson } from "../envelope/json.ts";
import type { ReplyInbox, Transport } from "../ports/transport.ts";

const MAX_WAIT_MS = 2 ** 31 - 1; // of a timer of the runtime

/** Of a class for the reason given at {@link listOf}. */
class Waiting {
  readonly contract: AnyContract;
  readonly timeoutMs: number;
  /** On the monotonic clock. */
  readonly endsAtMs: number;
  readonly answer: Deferred<unknown> = deferred();
  /** Listens no longer for the caller's signal, which may live on for long. */
  forget: (() => void) | undefined;

  constructor(contract: AnyContract, timeoutMs: number, endsAtMs: number) {
    this.contract = contract;
    this.timeoutMs = timeoutMs;
    this.endsAtMs = endsAtMs;
  }
}

/** What waits for answers: one inbox per process and transport, opened at the first request. */
export class Requests {
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #waiting = new KeyMap<Waiting>();
  #inbox: Promise<ReplyInbox> | undefined;
  #address: string | undefined;
  /** One for all, at the earliest end: nearly every request is answered long before. */
  #timer: Timer | undefined;
  #timerAt = Infinity;

  constructor(transport: Transport, clock: Clock) {
    this.#transport = transport;
    this.#clock = clock;
  }

  /** Where answers to this process go. */
  address(): MaybePromise<string> {
    return this.#address ?? this.#open();
  }

  /** The answer to a message, or PR_REQUEST_TIMEOUT. Call it before the message is sent. */
  expect(id: string, contract: AnyContract, timeoutMs: number, signal: AbortSignal | undefined): Promise<unknown> {
    const waiting = new Waiting(contract, timeoutMs, this.#clock.monotonicMs() + timeoutMs);
    if (signal !== undefined) {
      const abort = (): void => this.#fail(id, aborted(contract, signal));
      signal.addEventListener("abort", abort, { once: true });
      waiting.forget = () => signal.removeEventListener("abort", abort);
    }
    this.#waiting.set(id, waiting);
    this.#watch(waiting.endsAtMs);
    return waiting.answer.promise;
  }

  /** The request could not be sent. */
  forget(id: string, reason: unknown): void {
    this.#fail(id, reason);
  }

  async close(): Promise<void> {
    for (const id of this.#ids()) this.#fail(id, fail("PR_SHUTDOWN", { during: "a request" }));
    await (await this.#inbox)?.close();
  }

  async #open(): Promise<string> {
    this.#inbox ??= this.#transport.replyInbox((message) => this.#answered(message));
    this.#address = (await this.#inbox).address;
    return this.#address;
  }

  #watch(endsAtMs: number): void {
    if (endsAtMs >= this.#timerAt) return;
    this.#timer?.cancel();
    this.#timerAt = endsAtMs;
    const waitMs = Math.min(Math.max(0, endsAtMs - this.#clock.monotonicMs()), MAX_WAIT_MS);
    this.#timer = this.#clock.after(waitMs, () => this.#expire(), { keepAlive: true });
  }

  /** Nobody waits: nothing keeps the process alive. */
  #rest(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerAt = Infinity;
  }

  #expire(): void {
    this.#timerAt = Infinity;
    const nowMs = this.#clock.monotonicMs();
    let next = Infinity;
    for (const id of this.#ids()) {
      const { contract, timeoutMs, endsAtMs } = this.#waiting.get(id)!;
      if (endsAtMs > nowMs) next = Math.min(next, endsAtMs);
      else this.#fail(id, fail("PR_REQUEST_TIMEOUT", { contract: contract.name, timeoutMs }));
    }
    this.#watch(next);
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
    const reading = validateReply(waiting.contract, read.value);
    if (isPromise(reading)) void reading.then((late) => this.#accept(id, late));
    else this.#accept(id, reading);
  }

  #accept(id: string, reading: BodyReading): void {
    if (reading.error !== undefined) this.#fail(id, reading.error);
    else this.#take(id)?.answer.resolve(reading.body);
  }

  /** A list of its own: who fails is taken out. */
  #ids(): string[] {
    return Array.from(this.#waiting.entries(), ([id]) => id);
  }

  #fail(id: string, reason: unknown): void {
    this.#take(id)?.answer.reject(reason);
  }

  #take(id: string): Waiting | undefined {
    const waiting = this.#waiting.take(id);
    waiting?.forget?.();
    if (this.#waiting.size === 0) this.#rest();
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
