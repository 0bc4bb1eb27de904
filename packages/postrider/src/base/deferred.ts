/** A promise with its handles outside. */
export interface Deferred<Value = void> {
  readonly promise: Promise<Value>;
  readonly resolve: (value: Value) => void;
  readonly reject: (reason: unknown) => void;
}

/** Makes a promise that is settled from outside. */
export function deferred<Value = void>(): Deferred<Value> {
  return Promise.withResolvers<Value>();
}

/** What may be there already or come later. */
export type MaybePromise<Value> = Value | Promise<Value>;

/** Whether `value` must be awaited. */
export function isPromise<Value>(value: MaybePromise<Value>): value is Promise<Value> {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}
