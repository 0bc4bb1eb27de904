/** Names of places before and after each call that matters, such as `before-commit` or `after-held.put`. */
export interface CrashPoints {
  /** The process is at this place. May not return. */
  hit(point: string): void;
  /** How often each place was reached. */
  readonly counts: ReadonlyMap<string, number>;
}

/** Where a process is to be hit by a signal. */
interface Target {
  readonly point: string;
  readonly nth: number;
  readonly signal: "SIGKILL" | "SIGSTOP";
}

/**
 * Reads `POSTRIDER_CRASH_AT="point[:n]"`: there the process kills itself, the n-th time (default the first). `POSTRIDER_STOP_AT` likewise stops it, until
 * somebody sends SIGCONT.
 *
 * The signals cannot be caught, and take the process before the next statement: as a power cut would, but for what the operating system has taken already.
 */
export function crashPoints(environment: NodeJS.ProcessEnv): CrashPoints {
  const targets = [...targetOf(environment["POSTRIDER_CRASH_AT"], "SIGKILL"), ...targetOf(environment["POSTRIDER_STOP_AT"], "SIGSTOP")];
  const counts = new Map<string, number>();
  return {
    counts,
    hit(point) {
      const count = (counts.get(point) ?? 0) + 1;
      counts.set(point, count);
      for (const target of targets) if (target.point === point && target.nth === count) process.kill(process.pid, target.signal);
    },
  };
}

function targetOf(text: string | undefined, signal: Target["signal"]): readonly Target[] {
  if (text === undefined || text === "") return [];
  const [point = "", nth = "1"] = text.split(":");
  return [{ point, nth: Number(nth), signal }];
}
