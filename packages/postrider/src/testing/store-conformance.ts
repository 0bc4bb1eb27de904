import { registerSuite } from "./suite.ts";
import type { SuiteDeclaration, SuiteGroup, SuiteRunner } from "./suite.ts";
import { StoreEnvironment } from "./store-environment.ts";
import type { StoreFeatures, StoreFixture } from "./store-environment.ts";
import { deadLetterTests } from "./store/dead-letters.ts";
import { heldTests } from "./store/held.ts";
import { inboxTests } from "./store/inbox.ts";
import { keeperTests } from "./store/keepers.ts";
import { orderedTests } from "./store/ordered.ts";
import { outboxTests } from "./store/outbox.ts";
import { retentionTests } from "./store/retention.ts";
import { scheduleTests } from "./store/schedule.ts";
import { sqlTests } from "./store/sql.ts";
import type { StoreTest } from "./store/test.ts";
import { transactionTests } from "./store/transactions.ts";

/** What {@link storeConformance} takes. */
export interface StoreConformanceOptions extends SuiteDeclaration<StoreFeatures> {
  /** Makes an empty database for one test. */
  readonly create: () => Promise<StoreFixture>;
  /** `{ describe, test }` of vitest or node:test. */
  readonly suite: SuiteRunner;
}

/** What every store does, by what it is about. */
export const storeGroups: readonly SuiteGroup<StoreTest>[] = [
  { title: "Transactions", tests: transactionTests },
  { title: "Users' own SQL", tests: sqlTests },
  { title: "Inbox", tests: inboxTests },
  { title: "Outbox", tests: outboxTests },
  { title: "Schedule", tests: scheduleTests },
  { title: "Held messages", tests: heldTests },
  { title: "Order behind a failure", tests: orderedTests },
  { title: "Dead letters", tests: deadLetterTests },
  { title: "Starts, effects, leases", tests: keeperTests },
  { title: "Retention", tests: retentionTests },
];

/** Registers the tests that every store passes: what its port promises, checked on the real thing. */
export function storeConformance(options: StoreConformanceOptions): void {
  const within = async (run: (environment: StoreEnvironment) => Promise<void>): Promise<void> => {
    const environment = new StoreEnvironment(await options.create());
    try {
      await run(environment);
    } finally {
      await environment.close();
    }
  };
  registerSuite({
    title: `store ${options.name}`,
    tests: storeGroups.flatMap(({ tests }) => tests),
    within,
    declaration: options,
    suite: options.suite,
  });
}
