import { expect, test } from "vitest";
import { deferred } from "../base/deferred.ts";
import { fail } from "../base/errors.ts";
import type { Effects } from "../ports/effects.ts";
import { effectLedger } from "./once.ts";
import type { EffectOwner } from "./once.ts";

const owner: EffectOwner = { rootId: "m-1", service: "mailing", handler: "order.placed", name: "mail" };
const signal = new AbortController().signal;

/** The ledger of a store whose rows outlive any `once`. */
function rows(): Effects & { readonly known: Map<string, string | undefined> } {
  const known = new Map<string, string | undefined>();
  return {
    known,
    begin: async (key) => {
      const result = known.get(key);
      if (!known.has(key)) known.set(key, undefined);
      return result === undefined ? { state: "intended" } : { state: "done", result };
    },
    finish: async (key, result) => {
      if (known.get(key) === undefined) known.set(key, result);
      return known.get(key)!;
    },
  };
}

test.each([
  ["an object", { id: "mail-7", to: ["a", "b"] }, { id: "mail-7", to: ["a", "b"] }],
  ["null", null, null],
  ["undefined", undefined, undefined],
  ["a Date, which is its text from the first run on", new Date(0), "1970-01-01T00:00:00.000Z"],
])("an effect is done once, and every run gets its result: %s", async (_, result, expected) => {
  const effects = rows();
  let runs = 0;
  for (let processes = 0; processes < 3; processes++) {
    const once = effectLedger(effects);
    expect(await once(owner, async () => (runs++, result), signal)).toEqual(expected);
  }
  expect(runs).toBe(1);
});

test("the key is the same for every run of the message and its copies, and another for each service, handler and name", async () => {
  const once = effectLedger(rows());
  const keys: string[] = [];
  const note = async (key: string): Promise<void> => void keys.push(key);
  await once(owner, note, signal);
  for (const other of [{ service: "billing" }, { handler: "order.paid" }, { name: "text" }, { rootId: "m-2" }])
    await once({ ...owner, ...other }, note, signal);
  expect(new Set(keys).size).toBe(5);
  await effectLedger(rows())(owner, note, signal);
  expect(keys[5]).toBe(keys[0]);
});

test("what the effect throws passes through untouched, nothing is recorded, and the next run tries again with the same key", async () => {
  const once = effectLedger(rows());
  const declined = new Error("declined");
  const keys: string[] = [];
  await expect(once(owner, async (key) => (keys.push(key), Promise.reject(declined)), signal)).rejects.toBe(declined);
  expect(await once(owner, async (key) => (keys.push(key), "charged"), signal)).toBe("charged");
  expect(keys[1]).toBe(keys[0]);
});

test("calls for one key that meet in a process share one run", async () => {
  const once = effectLedger(rows());
  const provider = deferred<string>();
  let runs = 0;
  const calls = [1, 2, 3].map(() => once(owner, async () => (runs++, provider.promise), signal));
  provider.resolve("paid");
  expect(await Promise.all(calls)).toEqual(["paid", "paid", "paid"]);
  expect(runs).toBe(1);
});

test("a ledger that cannot record says so: the run fails, and the effect comes again under its key", async () => {
  const effects = rows();
  const full = fail("PR_STORE_FULL", { file: "shop.db" });
  const once = effectLedger({ ...effects, finish: () => Promise.reject(full) });
  await expect(once(owner, async () => "sent", signal)).rejects.toBe(full);
  expect(await effectLedger(effects)(owner, async () => "sent again", signal)).toBe("sent again");
});

test("a result that JSON cannot hold is a programmer's mistake, and named", async () => {
  const once = effectLedger(rows());
  await expect(once(owner, async () => 1n, signal)).rejects.toMatchObject({
    code: "PR_CONFIG_INVALID",
    message: expect.stringContaining('"mail" of order.placed'),
  });
});

test("an aborted run does not begin its effect", async () => {
  const aborted = AbortSignal.abort(fail("PR_SHUTDOWN", { during: "a run" }));
  const once = effectLedger(rows());
  await expect(once(owner, () => expect.unreachable(), aborted)).rejects.toMatchObject({ code: "PR_SHUTDOWN" });
});
