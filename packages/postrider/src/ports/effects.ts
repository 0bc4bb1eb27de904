/** What the effect ledger knows of an effect. */
export type EffectState = { readonly state: "intended" } | { readonly state: "done"; readonly result: string };

/** The effect ledger: intents and results, outside any transaction, durable when they resolve. */
export interface Effects {
  /** Records the intent unless it is known; says what is known from before. */
  begin(key: string): Promise<EffectState>;
  /** Records the result, a JSON text, unless there is one: a process that was thought dead must not replace what its successor went by. Returns the one that holds. */
  finish(key: string, result: string): Promise<string>;
}
