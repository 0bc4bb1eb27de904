/** Registers one test, or says that it is skipped: `test` of vitest and of node:test both fit. */
export interface TestFunction {
  (name: string, run: () => Promise<void>): unknown;
  readonly skip: (name: string, run: () => Promise<void>) => unknown;
}

/** The two functions of a test runner that a suite needs: `{ describe, test }` of vitest or node:test. */
export interface SuiteRunner {
  readonly describe: (name: string, define: () => void) => unknown;
  readonly test: TestFunction;
}

/** A test that an adapter cannot pass, and why. */
export interface SuiteSkip {
  /** The test's name, exactly. */
  readonly test: string;
  readonly reason: string;
}

/** One behaviour that a suite checks. */
export interface ConformanceTest<Environment, Features> {
  /** A sentence. */
  readonly name: string;
  /** Why it does not apply to an adapter with these features; undefined if it does. */
  readonly notFor?: (features: Features) => string | undefined;
  readonly run: (environment: Environment) => Promise<void>;
}

/** What every adapter's fixture can do. */
export interface AdapterFixture<Instance> {
  /** Another instance over the same data, not opened yet: another process as far as that goes. */
  readonly connect: () => Instance;
  /** Lets that much of the adapter's time pass. */
  readonly pass: (ms: number) => Promise<void>;
  /** Ends all instances as the death of their processes would; new ones are made by `connect`. Default: not possible. */
  readonly crash?: () => Promise<void>;
  /** Removes everything; called once all opened instances are closed. */
  readonly close: () => Promise<void>;
}

/** What {@link registerSuite} takes. */
export interface SuiteDefinition<Environment, Features> {
  readonly title: string;
  readonly features: Features;
  readonly skips: readonly SuiteSkip[];
  readonly suite: SuiteRunner;
  readonly tests: readonly ConformanceTest<Environment, Features>[];
  /** Runs one test in an environment of its own. */
  readonly within: (run: (environment: Environment) => Promise<void>) => Promise<void>;
}

/** Registers a suite's tests. What is skipped says why in its name; a skip that names no test is a mistake. */
export function registerSuite<Environment, Features>(definition: SuiteDefinition<Environment, Features>): void {
  const { title, features, skips, suite, tests, within } = definition;
  const reasons = new Map(skips.map(({ test, reason }) => [test, reason]));
  for (const { test } of skips) if (!tests.some(({ name }) => name === test)) throw new Error(`${title}: no test is called "${test}"`);
  suite.describe(title, () => {
    for (const { name, notFor, run } of tests) {
      const reason = reasons.get(name) ?? notFor?.(features);
      if (reason === undefined) suite.test(name, () => within(run));
      else suite.test.skip(`${name} (skipped: ${reason})`, () => Promise.resolve());
    }
  });
}
