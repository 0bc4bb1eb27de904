/** When a run of failures is taken for an outage, and how it is probed. */
export interface OutagePolicy {
  /** Failures in a row of one cause. 0 = never. */
  readonly after: number;
  /** The first wait before a probe, in milliseconds; doubles up to `maxProbeMs`. */
  readonly probeMs: number;
  readonly maxProbeMs: number;
}

/** What a reported result means for the flow. */
export type OutageChange = "none" | "began" | "continues" | "over";

/**
 * Tells an outage from failing messages: N failures in a row of one cause, with no success between.
 *
 * States: *well*: everything runs; N failures lead to *out*: nothing runs but one probe after a wait; a success leads back, a failure doubles the wait.
 */
export class OutageMode {
  readonly #policy: OutagePolicy;
  #cause = "";
  #inRow = 0;
  #isOut = false;
  #probeMs: number;

  constructor(policy: OutagePolicy) {
    this.#policy = policy;
    this.#probeMs = policy.probeMs;
  }

  get isOut(): boolean {
    return this.#isOut;
  }

  /** The wait before the next probe, in milliseconds. */
  get probeAfterMs(): number {
    return this.#probeMs;
  }

  succeeded(): OutageChange {
    this.#inRow = 0;
    if (!this.#isOut) return "none";
    this.#isOut = false;
    this.#probeMs = this.#policy.probeMs;
    return "over";
  }

  /** `isProbe`: whether the failed run was begun while the outage was known. */
  failed(cause: string, isProbe: boolean): OutageChange {
    if (this.#policy.after === 0) return "none";
    if (this.#isOut) {
      if (isProbe) this.#probeMs = Math.min(this.#policy.maxProbeMs, this.#probeMs * 2);
      return "continues";
    }
    this.#inRow = cause === this.#cause ? this.#inRow + 1 : 1;
    this.#cause = cause;
    if (this.#inRow < this.#policy.after) return "none";
    this.#isOut = true;
    return "began";
  }
}
