import type { StoredLine, TookLine } from "./app/lines.ts";
import type { Fault } from "./fault.ts";

/** What a run did with the logs. */
export interface LogHistory {
  /** What was handed over, by each process in its order. Empty if nobody said so. */
  readonly taken: readonly TookLine[];
  /** What the logs have at the end. Empty if nobody looked. */
  readonly stored: readonly StoredLine[];
}

/** What is wrong with positions, lanes and their owners. `readers`: the services that read all of a destination. */
export function logFaults(history: LogHistory, readers: Readonly<Record<string, readonly string[]>>): readonly Fault[] {
  return [...diverged(history), ...backwards(history.taken), ...twoOwners(history.taken), ...unseen(history, readers)];
}

/** Everybody who ever saw a position saw the same message there. */
function diverged({ taken, stored }: LogHistory): readonly Fault[] {
  const faults: Fault[] = [];
  const known = new Map<string, string>();
  for (const { destination, lane, position, messageId } of [...stored, ...taken]) {
    const place = `${destination} lane ${lane} position ${position}`;
    const before = known.get(place) ?? messageId;
    known.set(place, before);
    if (before !== messageId) faults.push({ kind: "diverged", what: `${place} was ${before} and ${messageId}` });
  }
  return faults;
}

/** Within one ownership a lane only goes on; what goes back or comes again says that it does. */
function backwards(taken: readonly TookLine[]): readonly Fault[] {
  const faults: Fault[] = [];
  const last = new Map<string, number>();
  for (const { worker, service, destination, lane, epoch, position, isHigh, isRedelivered } of taken) {
    if (isRedelivered) continue;
    const line = `${worker}: ${service} on ${destination}, lane ${lane}${isHigh ? " (high)" : ""}, epoch ${epoch}`;
    const before = last.get(line) ?? 0;
    if (position <= before) faults.push({ kind: "backwards", what: `${line} went from ${before} to ${position}` });
    last.set(line, position);
  }
  return faults;
}

function twoOwners(taken: readonly TookLine[]): readonly Fault[] {
  const owners = new Map<string, Set<string>>();
  for (const { worker, service, destination, lane, epoch } of taken) {
    const ownership = `${service} on ${destination}, lane ${lane}, epoch ${epoch}`;
    owners.set(ownership, (owners.get(ownership) ?? new Set()).add(worker));
  }
  return [...owners]
    .filter(([, workers]) => workers.size > 1)
    .map(([ownership, workers]) => ({ kind: "two owners", what: `${ownership}: ${[...workers].join(" and ")}` }));
}

function unseen({ taken, stored }: LogHistory, readers: Readonly<Record<string, readonly string[]>>): readonly Fault[] {
  const seen = new Set(taken.map(({ service, destination, lane, position }) => `${service} ${destination} ${lane} ${position}`));
  return stored.flatMap(({ destination, lane, position, messageId }) =>
    (readers[destination] ?? [])
      .filter((service) => !seen.has(`${service} ${destination} ${lane} ${position}`))
      .map((service): Fault => ({
        kind: "unseen",
        what: `${service} was never handed ${messageId} (${destination} lane ${lane} position ${position})`,
      })),
  );
}
