import { expect, test } from "vitest";
import { z } from "zod";
import { command, event } from "./contract.ts";
import { contractIndex } from "./registry.ts";

const schema = z.object({});
const v1 = event("member.updated", { schema });
const v2 = event("member.updated", { version: 2, schema });

test("contracts are found by name and version, newest first, and may be given twice", () => {
  const index = contractIndex([v1, v2, v1]);
  expect(index.family("member.updated")).toMatchObject({ kind: "event", versions: [2, 1] });
  expect(index.find("member.updated", 1)).toBe(v1);
  expect(index.find("member.updated", 3)).toBeUndefined();
  expect(index.families).toHaveLength(1);
});

test.each(["__proto__", "constructor", "toString", "../../x", ""])("a name from outside finds nothing by accident: %s", (name) => {
  const index = contractIndex([v1]);
  expect(index.family(name)).toBeUndefined();
  expect(index.find(name, 1)).toBeUndefined();
});

test("two declarations of one version, and one name of two kinds, are mistakes that are told together", () => {
  const other = event("member.updated", { schema });
  const asCommand = command("member.updated", { version: 3, schema });
  expect(() => contractIndex([v1, other, asCommand])).toThrow(/member.updated v1 is declared twice.*both a command and an event/s);
});
