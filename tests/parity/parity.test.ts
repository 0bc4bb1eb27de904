import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { storeGroups } from "../../packages/postrider/src/testing/store-conformance.ts";
import { transportGroups } from "../../packages/postrider/src/testing/transport-conformance.ts";
import type { StoreFeatures } from "../../packages/postrider/src/testing/store-environment.ts";
import type { TransportFeatures } from "../../packages/postrider/src/testing/transport-environment.ts";
import { ROOT } from "../support/project.ts";
import { TECHNOLOGIES, TRIALS } from "./beyond.ts";
import { GROUPS_KOREAN, STORE_FEATURES, STORES, TRANSPORT_FEATURES, TRANSPORTS } from "./columns.ts";
import type { Column } from "./columns.ts";
import { unexplained } from "./gaps.ts";
import { parityPage } from "./page.ts";

const transportNames = Object.keys(TRANSPORT_FEATURES) as (keyof TransportFeatures)[];
const storeNames = Object.keys(STORE_FEATURES) as (keyof StoreFeatures)[];

test("the page of parity is what the adapters declare; `npm run parity` writes it anew", () => {
  expect(readFileSync(join(ROOT, "docs/reference/parity.md"), "utf8")).toBe(parityPage());
});

test.for(TRANSPORTS)("the $title transport says why, for each gap", (column) => {
  expect(unexplained(column, transportNames, transportGroups(column.declaration.features))).toEqual([]);
});

test.for(STORES)("the $title store says why, for each gap", (column) => {
  expect(unexplained(column, storeNames, storeGroups)).toEqual([]);
});

test("each group of the suites has its name in Korean, and no group has it that is not there", () => {
  const groups = [...transportGroups(TRANSPORTS[0]!.declaration.features), ...storeGroups].map(({ title }) => title);
  expect(Object.keys(GROUPS_KOREAN).toSorted()).toEqual(groups.toSorted());
});

test("each trial names, for each technology, a test that is there, or a reason", () => {
  const proofs = TRIALS.flatMap((trial) => trial.proofs);
  expect(TRIALS.filter((trial) => trial.proofs.length !== TECHNOLOGIES.length)).toEqual([]);
  expect(proofs.filter((proof) => ("test" in proof ? !existsSync(join(ROOT, proof.test)) : proof.none === ""))).toEqual([]);
});

describe("a gap without a reason is found", () => {
  const column = TRANSPORTS.find(({ title }) => title === "Kafka")!;
  const withGaps = (gaps: NonNullable<Column<TransportFeatures>["declaration"]["gaps"]>): readonly string[] =>
    unexplained({ ...column, declaration: { ...column.declaration, gaps } }, transportNames, transportGroups(column.declaration.features));

  test("when nothing says why a feature is not there", () => {
    const { colocated: _, ...others } = column.declaration.gaps!;
    expect(withGaps(others)).toContain("Kafka: has no colocated, and does not say why");
  });

  test("when a reason is given for what is there", () => {
    expect(withGaps({ ...column.declaration.gaps, replay: "it cannot" })).toEqual(["Kafka: says why it has no replay, but has it"]);
  });

  test("when a feature is there by half, and a test is left out for it", () => {
    const { priority: _, ...gaps } = column.declaration.gaps!;
    const declaration = { ...column.declaration, features: { ...column.declaration.features, priority: "fetched" as const }, gaps };
    expect(unexplained({ ...column, declaration }, transportNames, transportGroups(declaration.features))).toEqual([
      'Kafka: leaves out "messages of high priority are handed over before those that wait" without a reason',
    ]);
  });
});
