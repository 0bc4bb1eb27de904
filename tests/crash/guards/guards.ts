import type { FaultKind } from "../fault.ts";

/** A line that keeps a promise, and the test that must notice when it is gone. */
export interface Guard {
  readonly name: string;
  /** What is done to the copy instead. */
  readonly removal: string;
  readonly edits: readonly Edit[];
  /** The test file below `tests/crash`, and the end or whole of a test's name. */
  readonly test: { readonly file: string; readonly name: string };
  /** What the failure must speak of: the fault that the guard prevents, or a piece of the test's own failure. */
  readonly finds: FaultKind | { readonly text: string };
}

/** One change of a file below `packages/postrider/src`. Its text must be there exactly once, or the guard has moved and this list with it. */
export interface Edit {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

const POINTS = "crash-points.int.test.ts";
const NO_CRASH = { file: POINTS, name: "on files one, the script everything keeps every promise" };

/** All guards that are removed, one at a time. */
export const GUARDS: readonly Guard[] = [
  {
    name: "the cursor moves inside the unit of work",
    removal: "it moves after the commit",
    edits: [
      {
        file: "delivery/attempt.ts",
        find: "inbox, settlement.settlingOf(work), ",
        replace: "inbox, work.held === undefined ? undefined : settlement.settlingOf(work), ",
      },
      {
        file: "delivery/attempt.ts",
        find: "options.settlement.isInside(run.work) ? undefined",
        replace: "run.work.held !== undefined ? undefined",
      },
    ],
    test: at("after-commit #2 (one, charge)"),
    finds: "duplicated",
  },
  {
    name: "the ack follows the commit",
    removal: "it comes before",
    edits: [
      {
        file: "delivery/attempt.ts",
        find: "    await run.unit.complete();\n",
        replace: "    if (!options.settlement.isInside(run.work)) await run.work.delivery!.ack();\n    await run.unit.complete();\n",
      },
    ],
    test: at("before-commit #3 (apart, charge)"),
    finds: "lost",
  },
  {
    name: "the inbox row is written with the effects",
    removal: "none is written",
    edits: [
      {
        file: "delivery/unit-of-work.ts",
        find: "const verdict = transaction.inbox.record(this.#inbox);",
        replace: 'const verdict = "first" as const;',
      },
    ],
    test: at("before-ack #1 (apart, charge)"),
    finds: "duplicated",
  },
  {
    name: "messages that may come twice are looked up",
    removal: "their position counts as proof",
    edits: [{ file: "delivery/inbox-question.ts", find: "delivery.mayRepeat || ", replace: "" }],
    test: NO_CRASH,
    finds: "duplicated",
  },
  {
    name: "a lane's epoch is checked in the commit",
    removal: "it is not",
    edits: [
      { file: "adapters/sqlite/transport.ts", find: "  delivery.owner.assertOwned(delivery);\n", replace: "" },
      {
        file: "adapters/sqlite/lane-cursor.ts",
        find: 'if (changes !== 1) throw fail("PR_LEASE_LOST", { lease: leaseName(this.lane) });',
        replace: "void changes;",
      },
    ],
    test: { file: "zombie.int.test.ts", name: "with a message of a log half handled" },
    finds: { text: "to have a length of 2" },
  },
  {
    name: "what may have begun is marked before it runs",
    removal: "nothing is marked",
    edits: [{ file: "delivery/starts.ts", find: "return this.#starts.markTaken(marks);", replace: "return Promise.resolve();" }],
    test: { file: "poison.int.test.ts", name: "one message of 1000 that ends its process" },
    finds: { text: "to be 4" },
  },
  {
    name: "the key gate lets one of a key through",
    removal: "it is always open",
    edits: [
      { file: "delivery/key-gate.ts", find: "if (this.#taken.add(key, undefined)) return", replace: "if (key !== undefined) return" },
    ],
    test: NO_CRASH,
    finds: "reordered",
  },
  {
    name: "ordered messages wait behind a failed one",
    removal: "nothing is parked",
    edits: [
      {
        file: "delivery/parking.ts",
        find: "async park(work: Work): Promise<boolean> {\n",
        replace: "async park(work: Work): Promise<boolean> {\n    if (work.key !== null) return false;\n",
      },
    ],
    test: NO_CRASH,
    finds: "reordered",
  },
  {
    name: "a message that is held already does not wait behind itself",
    removal: "it is not looked up",
    edits: [
      {
        file: "delivery/settlement.ts",
        find: "if ((await this.#store.held.get(heldIdOf(work))) !== undefined) {",
        replace: "if (work.lane.isGone) {",
      },
    ],
    test: at("before-ack #1 (apart, step)"),
    finds: "lost",
  },
  {
    name: "a dead letter is added in the transaction that settles",
    removal: "it is added after it",
    edits: [
      {
        file: "delivery/settlement.ts",
        find: "await this.#store.transaction((transaction) => inOrder([...steps.map((step) => () => step(transaction)), () => settle?.(transaction)]));",
        replace:
          "await this.#store.transaction((transaction) => settle?.(transaction));\n    await this.#store.transaction((transaction) => inOrder(steps.map((step) => () => step(transaction))));",
      },
    ],
    test: at("before-deadLetters.add #1 (one, redrive)"),
    finds: "lost",
  },
  {
    name: "a redrive takes out and hands back in one transaction",
    removal: "in two",
    edits: [
      {
        file: "deadletters/redrive.ts",
        find: "  const isRedriven = await store.transaction(async (transaction) => {\n    const letter = await takeOut(transaction, id);\n    if (letter === undefined) return false;\n    const envelope =",
        replace:
          "  const letter = await store.transaction((transaction) => takeOut(transaction, id));\n  const isRedriven = await store.transaction(async (transaction) => {\n    if (letter === undefined) return false;\n    const envelope =",
      },
    ],
    test: at("before-held.put #1 (one, redrive)"),
    finds: "lost",
  },
  {
    name: "the relay marks a row as done on the confirm",
    removal: "before it is sent",
    edits: [
      {
        file: "outbox/relay.ts",
        find: "    const outcomes = await this.#outcomesOf(rows);\n",
        replace: "    await this.#options.store.outbox.done(rows);\n    const outcomes = await this.#outcomesOf(rows);\n",
      },
    ],
    test: at("before-send #1 (apart, charge)"),
    finds: "lost",
  },
  {
    name: "the scheduler takes and sends in one transaction",
    removal: "in two",
    edits: [
      {
        file: "scheduling/scheduler.ts",
        find: "      if (slots.length > 0)\n        await enlist(\n          transaction,\n          slots.map(({ message }) => message),\n        );\n      return due.length;\n    });",
        replace:
          "      return slots;\n    }).then(async (slots) => {\n      if (slots.length > 0) await store.transaction((later) => enlist(later, slots.map(({ message }) => message)));\n      return slots.length;\n    });",
      },
    ],
    test: at("before-enlist #1 (one, schedule)"),
    finds: "lost",
  },
  {
    name: "the result of an effect outside is recorded",
    removal: "it is not",
    edits: [{ file: "effects/once.ts", find: "await effects.finish(key, text)", replace: "text" }],
    test: at("before-begin #2 (one, charge)"),
    finds: "repeated outside",
  },
];

function at(point: string): Guard["test"] {
  return { file: POINTS, name: `at ${point}` };
}
