import assert from "node:assert/strict";
import type { TransportCapabilities } from "../ports/transport.ts";
import { registerSuite } from "./suite.ts";
import type { SuiteDeclaration, SuiteGroup, SuiteRunner } from "./suite.ts";
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
export interface TransportConformanceOptions extends SuiteDeclaration<TransportFeatures> {
  /** Makes an empty world for one test. */
  readonly create: () => Promise<TransportFixture>;
  /** `{ describe, test }` of vitest or node:test. */
  readonly suite: SuiteRunner;
}

/** What every transport does, by what it is about. */
export function transportGroups(features: TransportFeatures): readonly SuiteGroup<TransportTest>[] {
  return [
    { title: "Sending and reading", tests: [declared(features), ...basicTests] },
    { title: "What is sent comes back as it was", tests: fidelityTests },
    { title: "Refusals", tests: refusalTests },
    { title: "Order", tests: orderTests },
    { title: "Flow control", tests: flowTests },
    { title: "Lanes and their owners", tests: laneTests },
    { title: "Stopping, closing, dying", tests: closingTests },
    { title: "In one transaction with the store", tests: colocatedTests },
    { title: "Replay and answers", tests: readingTests },
    { title: "Services that come and go", tests: retiringTests },
  ];
}

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
  registerSuite({
    title: `transport ${options.name}`,
    tests: transportGroups(options.features).flatMap(({ tests }) => tests),
    within,
    declaration: options,
    suite: options.suite,
  });
}

function declared(features: TransportFeatures): TransportTest {
  return {
    name: "it has the capabilities that are declared, and says what a send survives",
    async run(env) {
      const transport = await env.transport();
      const { capabilities, colocated } = transport;
      assert.deepEqual(pick(capabilities), pick(features));
      assert.equal(colocated !== undefined, features.colocated);
      assert.equal("retire" in transport, features.retire === true);
      assert.equal(capabilities.maxBodyBytes <= 2 * 1024 * 1024, features.bodyLimit);
      assert.ok(capabilities.durability.length > 0);
    },
  };
}

type Declared = Pick<TransportCapabilities, "lanes" | "manyProcesses" | "positions" | "priority" | "redeliveredFlag" | "replay">;

function pick({ lanes, manyProcesses, positions, priority, redeliveredFlag, replay }: Declared): Declared {
  return { lanes, manyProcesses, positions, priority, redeliveredFlag, replay };
}
