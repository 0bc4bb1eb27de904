import { describe, expect, test } from "vitest";
import type { OutsideLine, TookLine } from "./app/lines.ts";
import type { FaultKind } from "./fault.ts";
import { faultsOf } from "./history.ts";
import type { Effect, History, Send, Shape } from "./history.ts";

const SHAPE: Shape = {
  handlers: { "job.do": ["doer/job.do"], "job.done": ["auditor/job.done"] },
  publishes: { "doer/job.do": "job.done" },
  readers: { "job.commands": ["doer"] },
};

const AT = 1_000_000;

/** Three jobs of one key and one of another, all well. */
const WELL: History = {
  sends: [send(0, "a"), send(1, "a", { hasRow: true }), send(2, "b"), send(3, "a", { notBefore: AT - 1 })],
  effects: [...effects(0, "a"), ...effects(1, "a"), ...effects(2, "b"), ...effects(3, "a")],
  rows: ["p/1"],
  // The first run dies before its result is recorded, the second before its commit; a third is stopped meanwhile.
  outside: [
    asks("run 1"),
    did("run 1"),
    asks("run 2"),
    asks("run 3"),
    did("run 2"),
    has("run 2", "y"),
    did("run 3"),
    asks("run 4"),
    has("run 4", "y"),
  ],
  deadLetters: [],
  left: { backlog: 0, held: 0 },
  taken: [took(1), took(2), took(3), took(1, { worker: "second", epoch: 2, isRedelivered: true }), took(2, { worker: "second", epoch: 2 })],
  stored: [1, 2, 3].map((position) => ({ destination: "job.commands", lane: 0, position, messageId: `m-${position}` })),
};

test("a history in which every promise was kept has no fault", () => {
  expect(faultsOf(WELL, SHAPE)).toEqual([]);
});

test("what was not acknowledged may be there or not", () => {
  const unknown = [send(8, "z", { outcome: "unknown" }), send(9, "z", { outcome: "unknown" })];
  expect(faultsOf({ ...WELL, sends: [...WELL.sends, ...unknown], effects: [...WELL.effects, ...effects(9, "z")] }, SHAPE)).toEqual([]);
});

test("what was given up and is still in the dead letters is not lost", () => {
  const without = WELL.effects.filter(({ id }) => id !== "p/2");
  expect(faultsOf({ ...WELL, effects: without, deadLetters: [{ service: "doer", id: "p/2", code: "PR_POISON" }] }, SHAPE)).toEqual([]);
});

test("jobs whose order is not promised may come in any", () => {
  const loose = WELL.sends.map((one) => ({ ...one, isInOrder: false }));
  expect(kinds({ sends: loose, effects: [...effects(3, "a"), ...effects(0, "a"), ...effects(1, "a"), ...effects(2, "b")] })).toEqual([]);
});

/** Each analysis, and a fault that it must find. */
const PLANTED: readonly (readonly [FaultKind, string, Partial<History>])[] = [
  ["lost", "an acknowledged job without an effect", { effects: WELL.effects.filter(({ id }) => id !== "p/2") }],
  [
    "lost",
    "an effect whose event nobody heard",
    { effects: WELL.effects.filter(({ id, handler }) => id !== "p/2" || handler === "doer/job.do") },
  ],
  ["phantom", "an effect of nothing", { effects: [...WELL.effects, ...effects(7, "q")] }],
  [
    "phantom",
    "an effect of what was refused",
    { sends: [...WELL.sends, send(7, "q", { outcome: "refused" })], effects: [...WELL.effects, ...effects(7, "q")] },
  ],
  ["duplicated", "a second effect", { effects: [...WELL.effects, WELL.effects[1]!] }],
  [
    "reordered",
    "two jobs of a key the wrong way round",
    { effects: [...effects(1, "a"), ...effects(0, "a"), ...effects(2, "b"), ...effects(3, "a")] },
  ],
  [
    "reordered",
    "an event of a key behind a later one",
    {
      effects: [
        ...WELL.effects.filter(({ handler }) => handler === "doer/job.do"),
        ...[1, 0, 3].flatMap((n) => effects(n, "a").slice(1)),
        ...effects(2, "b").slice(1),
      ],
    },
  ],
  ["torn", "an effect without its row", { rows: [] }],
  ["torn", "a row without its effect", { effects: WELL.effects.filter(({ id }) => id !== "p/1") }],
  ["early", "an effect before its time", { sends: WELL.sends.map((one) => ({ ...one, notBefore: AT + 50 })) }],
  ["repeated outside", "an effect outside after its result was recorded", { outside: [...WELL.outside, asks("run 5"), did("run 5")] }],
  ["repeated outside", "an effect outside under two keys", { outside: [...WELL.outside, did("run 3", "key-2")] }],
  ["repeated outside", "another result in a later run", { outside: [...WELL.outside, asks("run 5"), has("run 5", "z")] }],
  [
    "diverged",
    "two messages at one position, as two readers saw it",
    { taken: [...WELL.taken, took(3, { worker: "third", epoch: 3, messageId: "m-9" })] },
  ],
  [
    "diverged",
    "another message in the log than was handed over",
    { stored: [{ destination: "job.commands", lane: 0, position: 2, messageId: "m-9" }] },
  ],
  ["backwards", "a lane that went back", { taken: [...WELL.taken, took(3)] }],
  ["two owners", "one epoch in two processes", { taken: [...WELL.taken, took(4, { worker: "second" })] }],
  [
    "unseen",
    "a message of the log that its reader never got",
    { stored: [...WELL.stored, { destination: "job.commands", lane: 3, position: 9, messageId: "m-9" }] },
  ],
  ["unsettled", "something under way at the end", { left: { backlog: 0, held: 2 } }],
];

describe("a planted fault is found:", () => {
  test.each(PLANTED)("%s: %s", (kind, _, planted) => {
    expect(kinds(planted)).toContain(kind);
  });

  test.each(PLANTED.filter(([kind]) => kind !== "lost" && kind !== "torn"))("%s alone: %s", (kind, _, planted) => {
    expect(new Set(kinds(planted))).toEqual(new Set([kind]));
  });
});

function kinds(change: Partial<History>): readonly FaultKind[] {
  return faultsOf({ ...WELL, ...change }, SHAPE).map(({ kind }) => kind);
}

function send(n: number, key: string, change: Partial<Send> = {}): Send {
  const plain = {
    contract: "job.do",
    id: `p/${n}`,
    key,
    producer: "p",
    sequence: n,
    outcome: "acknowledged",
    isInOrder: true,
    hasRow: false,
  } as const;
  return { ...plain, ...change };
}

/** What a job leaves in the ledger: its own effect, and that of its event. */
function effects(n: number, key: string): readonly [Effect, Effect] {
  const effect = { id: `p/${n}`, key, at: AT };
  return [
    { handler: "doer/job.do", ...effect },
    { handler: "auditor/job.done", ...effect },
  ];
}

function asks(run: string): OutsideLine {
  return { says: "asks", id: "p/1", run };
}

function did(run: string, key = "key-1"): OutsideLine {
  return { says: "did", id: "p/1", run, key };
}

function has(run: string, result: string): OutsideLine {
  return { says: "has", id: "p/1", run, result };
}

function took(position: number, change: Partial<TookLine> = {}): TookLine {
  const plain = { worker: "first", service: "doer", destination: "job.commands", lane: 0, epoch: 1, position, messageId: `m-${position}` };
  return { ...plain, isHigh: false, isRedelivered: false, ...change };
}
