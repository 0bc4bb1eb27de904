import { fail, reasonOf } from "../base/errors.ts";
import { derivedId } from "../base/ids.ts";
import type { Effects } from "../ports/effects.ts";

/** Whose effect it is: the same for a message, its redeliveries, redrives and edited copies. */
export interface EffectOwner {
  readonly rootId: string;
  readonly service: string;
  readonly handler: string;
  /** Unique in the handler. */
  readonly name: string;
}

/**
 * Does something outside at least once, with a stable key; after its result is recorded, not again.
 *
 * `effect` gets the key, to hand on as its idempotency key, and the signal. What it throws passes through, and nothing is recorded.
 */
export type Once = <Result>(
  owner: EffectOwner,
  effect: (key: string, signal: AbortSignal) => Promise<Result>,
  signal: AbortSignal,
) => Promise<Result>;

/**
 * The effect ledger of a service.
 *
 * Delivery: at least once with a stable key: a crash between the effect and its record repeats it, under the same key.
 * Concurrency: calls for one key that meet in one process share one run, and the signal of the first. Between processes only the key protects.
 * Shapes: the result comes back as JSON makes it, the first time as every other: a Date is its text, `undefined` stays `undefined`.
 * @throws PR_CONFIG_INVALID when the result is not JSON
 */
export function effectLedger(effects: Effects): Once {
  const running = new Map<string, Promise<unknown>>();
  return function once<Result>(
    owner: EffectOwner,
    effect: (key: string, signal: AbortSignal) => Promise<Result>,
    signal: AbortSignal,
  ): Promise<Result> {
    const key = derivedId(owner.rootId, owner.service, owner.handler, owner.name);
    const shared = running.get(key);
    if (shared !== undefined) return shared as Promise<Result>;
    const run = runOnce(effects, { key, owner, signal }, effect).finally(() => running.delete(key));
    running.set(key, run);
    return run;
  };
}

interface Run {
  readonly key: string;
  readonly owner: EffectOwner;
  readonly signal: AbortSignal;
}

async function runOnce<Result>(
  effects: Effects,
  { key, owner, signal }: Run,
  effect: (key: string, signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  signal.throwIfAborted();
  const known = await effects.begin(key);
  if (known.state === "done") return resultOf<Result>(known.result);
  signal.throwIfAborted();
  const text = textOf(await effect(key, signal), owner);
  return resultOf<Result>(await effects.finish(key, text));
}

// In an object, because JSON has no `undefined`: there an absent key says it.
function textOf(result: unknown, owner: EffectOwner): string {
  try {
    return JSON.stringify({ result });
  } catch (cause) {
    throw fail(
      "PR_CONFIG_INVALID",
      {
        mistakes: `the effect "${owner.name}" of ${owner.handler} in ${owner.service} returned what JSON cannot hold (${reasonOf(cause)})`,
      },
      { cause },
    );
  }
}

function resultOf<Result>(text: string): Result {
  return (JSON.parse(text) as { readonly result: Result }).result;
}
