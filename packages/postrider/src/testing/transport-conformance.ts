import assert from "node:assert/strict";
import type { TransportCapabilities } from "../ports/transport.ts";
import { registerSuite } from "./suite.ts";
import type { SuiteRunner, SuiteSkip } from "./suite.ts";
import { TransportEnvironment } from "./transport-environment.ts";
import type { TransportFeatures, TransportFixture } from "./transport-environment.ts";
import { basicTests } from "./transport/basics.ts";
import { closingTests } from "./transport/closing.ts";
import { colocatedTests } from "./transport/colocated.ts";
import { fidelityTests } from "./transport/fidelity.ts";
import { flowTests } from "./transport/flow.ts";
import { laneTests } from "./transport/lanes.ts";
import { orderTests } from "./transport/order.ts";
import { readingTests } from "./transport/reading.ts";
import { refusalTests } from "./transport/refusals.ts";
import { retiringTests } from "./transport/retiring.ts";
import type { TransportTest } from "./transport/test.ts";

/** What {@link transportConformance} takes. */
export interface TransportConformanceOptions {
  /** The adapter's name. */
  readonly name: string;
  /** Makes an empty world for one test. */
  readonly create: () => Promise<TransportFixture>;
  readonly features: TransportFeatures;
  /** Tests that the adapter cannot pass, and why. */
  readonly skips?: readonly SuiteSkip[];
  /** `{ describe, test }` of vitest or node:test. */
  readonly suite: SuiteRunner;
}

const TESTS: readonly TransportTest[] = [
  ...basicTests,
  ...fidelityTests,
  ...refusalTests,
  ...orderTests,
  ...flowTests,
  ...laneTests,
  ...closingTests,
  ...colocatedTests,
  ...readingTests,
  ...retiringTests,
];

/** Registers the tests that every transport passes: what its port promises, checked on the real thing. */
export function transportConformance(options: TransportConformanceOptions): void {
  const within = async (run: (environment: TransportEnvironment) => Promise<void>): Promise<void> => {
    const environment = new TransportEnvironment(await options.create());
    try {
      await run(environment);
    } finally {
      await environment.close();
    }
  };
  const tests = [declared(options.features), ...TESTS];
  registerSuite({
    title: `transport ${options.name}`,
    tests,
    within,
    skips: options.skips ?? [],
    features: options.features,
    suite: options.suite,
  });
}

function declared(features: TransportFeatures): TransportTest {
  return {
    name: "it has the capabilities that are declared, and says what a send survives",
    async run(env) {
      const transport = await env.transport();
      const { capabilities, colocated } = transport;
      const { lanes, positions, priority, replay } = features;
      assert.deepEqual(pick(capabilities), { lanes, positions, priority, replay });
      assert.equal(colocated !== undefined, features.colocated);
      assert.equal("retire" in transport, features.retire === true);
      assert.equal(capabilities.maxBodyBytes <= 2 * 1024 * 1024, features.bodyLimit);
      assert.ok(capabilities.durability.length > 0);
    },
  };
}

function pick({ lanes, positions, priority, replay }: TransportCapabilities): object {
  return { lanes, positions, priority, replay };
}
