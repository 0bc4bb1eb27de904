import type { OutsideLine } from "./app/lines.ts";
import type { Fault } from "./fault.ts";
import { logFaults } from "./history-log.ts";
import type { LogHistory } from "./history-log.ts";

/** What a run did, as its processes said and its files show at the end. */
export interface History extends LogHistory {
  readonly sends: readonly Send[];
  /** The effect ledger, in the order of its commits. It has no unique constraint: what happened twice is there twice. */
  readonly effects: readonly Effect[];
  /** Ids of the rows that were written in one unit of work with a send. */
  readonly rows: readonly string[];
  /** The ledger of what was done outside by way of `once`, in the order of its lines. */
  readonly outside: readonly OutsideLine[];
  /** Given up at the end. */
  readonly deadLetters: readonly { readonly service: string; readonly id: string; readonly code: string }[];
  /** Under way at the end, by place. */
  readonly left: Readonly<Record<string, number>>;
}

/** A message that somebody sent, or tried to. */
export interface Send {
  readonly contract: string;
  readonly id: string;
  readonly key: string;
  readonly producer: string;
  /** Counts the sends of a producer. */
  readonly sequence: number;
  /** *acknowledged*: the send resolved. *refused*: it was told that nothing was sent. *unknown*: neither; it may have arrived. */
  readonly outcome: "acknowledged" | "unknown" | "refused";
  /** Whether its place among those of its key and producer is promised. */
  readonly isInOrder: boolean;
  /** Whether a row was written with it. */
  readonly hasRow: boolean;
  /** It must have no effect before, in milliseconds since the epoch. */
  readonly notBefore?: number | undefined;
}

/** What a handler did with a message, by the ledger. */
export interface Effect {
  /** `service/contract`. */
  readonly handler: string;
  readonly id: string;
  readonly key: string;
  readonly at: number;
}

/** Who handles what. */
export interface Shape {
  /** By contract: the handlers, as `service/contract`, that must each have one effect of a message. */
  readonly handlers: Readonly<Record<string, readonly string[]>>;
  /** By handler: the contract that it publishes with each effect, under the same id and key. */
  readonly publishes: Readonly<Record<string, string>>;
  /** By destination: the services that read all of it. */
  readonly readers: Readonly<Record<string, readonly string[]>>;
}

/** Everything that is wrong with a history; nothing, if every promise was kept. */
export function faultsOf(history: History, shape: Shape): readonly Fault[] {
  const sends = [...history.sends, ...publishedBy(history.effects, shape)];
  return [
    ...lost({ ...history, sends }, shape),
    ...phantoms(sends, history.effects, shape),
    ...duplicated(history.effects),
    ...reordered(sends, history.effects, shape),
    ...torn(history, shape),
    ...early(sends, history.effects, shape),
    ...repeatedOutside(history.outside),
    ...logFaults(history, shape.readers),
    ...unsettled(history.left),
  ];
}

/** What handlers published is sent like anything else: with the commit of its effect, and in the order of those. */
function publishedBy(effects: readonly Effect[], { publishes }: Shape): readonly Send[] {
  return effects.flatMap(({ handler, id, key }, sequence) => {
    const contract = publishes[handler];
    if (contract === undefined) return [];
    return [{ contract, id, key, producer: handler, sequence, outcome: "acknowledged", isInOrder: true, hasRow: false } as const];
  });
}

function lost({ sends, effects, deadLetters }: Pick<History, "sends" | "effects" | "deadLetters">, shape: Shape): readonly Fault[] {
  const done = new Set(effects.map(({ handler, id }) => `${handler} ${id}`));
  const givenUp = new Set(deadLetters.map(({ service, id }) => `${service} ${id}`));
  return sends
    .filter(({ outcome }) => outcome === "acknowledged")
    .flatMap(({ contract, id }) => handlersOf(contract, shape).map((handler) => ({ handler, id })))
    .filter(({ handler, id }) => !done.has(`${handler} ${id}`) && !givenUp.has(`${handler.split("/")[0]} ${id}`))
    .map(({ handler, id }) => ({ kind: "lost", what: `${id} was acknowledged and ${handler} has no effect of it` }));
}

function phantoms(sends: readonly Send[], effects: readonly Effect[], shape: Shape): readonly Fault[] {
  const sent = new Map(sends.flatMap((send) => handlersOf(send.contract, shape).map((handler) => [`${handler} ${send.id}`, send])));
  return effects.flatMap(({ handler, id }): readonly Fault[] => {
    const send = sent.get(`${handler} ${id}`);
    if (send === undefined) return [{ kind: "phantom", what: `${handler} has an effect of ${id}, which nobody sent` }];
    if (send.outcome === "refused")
      return [{ kind: "phantom", what: `${handler} has an effect of ${id}, whose sender was told that nothing was sent` }];
    return [];
  });
}

function duplicated(effects: readonly Effect[]): readonly Fault[] {
  const counts = new Map<string, number>();
  for (const { handler, id } of effects) counts.set(`${handler} of ${id}`, (counts.get(`${handler} of ${id}`) ?? 0) + 1);
  return [...counts].filter(([, count]) => count > 1).map(([what, count]) => ({ kind: "duplicated", what: `${count} effects of ${what}` }));
}

/** Compares the first effects of a key with the order in which one producer sent them. */
function reordered(sends: readonly Send[], effects: readonly Effect[], shape: Shape): readonly Fault[] {
  const inOrder = new Map(
    sends
      .filter(({ isInOrder }) => isInOrder)
      .flatMap((send) => handlersOf(send.contract, shape).map((handler) => [`${handler} ${send.id}`, send])),
  );
  const faults: Fault[] = [];
  const last = new Map<string, Send>();
  for (const { handler, id } of effects) {
    const send = inOrder.get(`${handler} ${id}`);
    if (send === undefined) continue;
    inOrder.delete(`${handler} ${id}`); // a second effect is a fault of its own
    const line = `${handler} ${send.producer} ${send.key}`;
    const before = last.get(line);
    if (before === undefined || before.sequence < send.sequence) last.set(line, send);
    else
      faults.push({
        kind: "reordered",
        what: `${handler} has ${id} behind ${before.id}, which was sent after it under the key ${send.key}`,
      });
  }
  return faults;
}

/** A row and its message are there together, or neither is. */
function torn({ sends, effects, rows, deadLetters }: History, shape: Shape): readonly Fault[] {
  const done = new Set(effects.map(({ handler, id }) => `${handler} ${id}`));
  const givenUp = new Set(deadLetters.map(({ id }) => id));
  const written = new Set(rows);
  return sends
    .filter(({ hasRow }) => hasRow)
    .flatMap(({ contract, id }) => handlersOf(contract, shape).map((handler) => ({ handler, id })))
    .filter(({ handler, id }) => written.has(id) !== (done.has(`${handler} ${id}`) || givenUp.has(id)))
    .map(({ handler, id }) => ({
      kind: "torn",
      what: `${id} has ${written.has(id) ? "a row and no" : "no row and an"} effect of ${handler}`,
    }));
}

function early(sends: readonly Send[], effects: readonly Effect[], shape: Shape): readonly Fault[] {
  const due = new Map(
    sends.flatMap(({ contract, id, notBefore }) => handlersOf(contract, shape).map((handler) => [`${handler} ${id}`, notBefore])),
  );
  return effects
    .map(({ handler, id, at }) => ({ handler, id, earlyMs: (due.get(`${handler} ${id}`) ?? 0) - at }))
    .filter(({ earlyMs }) => earlyMs > 0)
    .map(({ handler, id, earlyMs }) => ({ kind: "early", what: `${handler} had ${id} ${earlyMs} ms before its time` }));
}

/**
 * Once a run has a result, no run that asks after that does it again, or gets another result.
 *
 * Runs that overlap may: one was stopped in the middle and has lost its lane to the other. Then the key is what protects, so it must be the same.
 */
function repeatedOutside(lines: readonly OutsideLine[]): readonly Fault[] {
  const faults: Fault[] = [];
  const fault = (what: string): unknown => faults.push({ kind: "repeated outside", what });
  const keys = new Map<string, string>();
  const recorded = new Map<string, string>();
  /** By run: the result that was recorded when it asked. */
  const found = new Map<string, string | undefined>();
  for (const line of lines) {
    const { id, run } = line;
    const known = found.get(run);
    if (line.says === "asks") {
      found.set(run, recorded.get(id));
    } else if (line.says === "did") {
      if (known !== undefined) fault(`${id} was done again after its result was recorded`);
      if ((keys.get(id) ?? line.key) !== line.key) fault(`${id} was done under two keys`);
      keys.set(id, line.key);
    } else {
      if (known !== undefined && known !== line.result) fault(`${id} had another result in a later run`);
      recorded.set(id, line.result);
    }
  }
  return faults;
}

function unsettled(left: Readonly<Record<string, number>>): readonly Fault[] {
  return Object.entries(left)
    .filter(([, count]) => count > 0)
    .map(([place, count]) => ({ kind: "unsettled", what: `${place}: ${count}` }));
}

function handlersOf(contract: string, { handlers }: Shape): readonly string[] {
  return handlers[contract] ?? [];
}
