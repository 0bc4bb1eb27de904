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
  /** The feature without which it does not apply to an adapter; undefined if it applies. */
  readonly notFor?: (features: Features) => (keyof Features & string) | undefined;
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

/** What an adapter says of itself: what decides which tests apply to it, and what the docs' table of parity is made of. */
export interface SuiteDeclaration<Features> {
  /** The adapter's name. */
  readonly name: string;
  readonly features: Features;
  /** Why a feature is not there, by its name: what a skip prints. */
  readonly gaps?: Readonly<Partial<Record<keyof Features, string>>>;
  /** Tests that the adapter cannot pass, and why. */
  readonly skips?: readonly SuiteSkip[];
}

/** Behaviours that belong together. */
export interface SuiteGroup<Test> {
  readonly title: string;
  readonly tests: readonly Test[];
}

/** What {@link registerSuite} takes. */
export interface SuiteDefinition<Environment, Features> {
  readonly title: string;
  readonly declaration: SuiteDeclaration<Features>;
  readonly suite: SuiteRunner;
  readonly tests: readonly ConformanceTest<Environment, Features>[];
  /** Runs one test in an environment of its own. */
  readonly within: (run: (environment: Environment) => Promise<void>) => Promise<void>;
}

/** Registers a suite's tests. What is skipped says why in its name; a skip that names no test is a mistake. */
export function registerSuite<Environment, Features>(definition: SuiteDefinition<Environment, Features>): void {
  const { title, declaration, suite, tests, within } = definition;
  for (const { test } of declaration.skips ?? []) {
    if (!tests.some(({ name }) => name === test)) throw new Error(`${title}: no test is called "${test}"`);
  }
  suite.describe(title, () => {
    for (const test of tests) {
      const reason = skipReason(test, declaration);
      if (reason === undefined) suite.test(test.name, () => within(test.run));
      else suite.test.skip(`${test.name} (skipped: ${reason})`, () => Promise.resolve());
    }
  });
}

/** Why a test is skipped for an adapter; undefined if it runs. */
export function skipReason<Environment, Features>(
  { name, notFor }: ConformanceTest<Environment, Features>,
  { features, gaps, skips }: SuiteDeclaration<Features>,
): string | undefined {
  const declared = skips?.find(({ test }) => test === name);
  if (declared !== undefined) return declared.reason;
  const missing = notFor?.(features);
  return missing === undefined ? undefined : (gaps?.[missing] ?? `the adapter has no ${missing}`);
}
