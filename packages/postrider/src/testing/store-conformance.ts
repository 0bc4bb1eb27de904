import { registerSuite } from "./suite.ts";
import type { SuiteRunner, SuiteSkip } from "./suite.ts";
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
export interface StoreConformanceOptions {
  /** The adapter's name. */
  readonly name: string;
  /** Makes an empty database for one test. */
  readonly create: () => Promise<StoreFixture>;
  readonly features: StoreFeatures;
  /** Tests that the adapter cannot pass, and why. */
  readonly skips?: readonly SuiteSkip[];
  /** `{ describe, test }` of vitest or node:test. */
  readonly suite: SuiteRunner;
}

const TESTS: readonly StoreTest[] = [
  ...transactionTests,
  ...sqlTests,
  ...inboxTests,
  ...outboxTests,
  ...scheduleTests,
  ...heldTests,
  ...orderedTests,
  ...deadLetterTests,
  ...keeperTests,
  ...retentionTests,
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
    tests: TESTS,
    within,
    skips: options.skips ?? [],
    features: options.features,
    suite: options.suite,
  });
}
