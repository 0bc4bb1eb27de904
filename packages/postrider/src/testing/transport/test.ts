import type { ConformanceTest } from "../suite.ts";
import type { TransportEnvironment, TransportFeatures } from "../transport-environment.ts";

/** One behaviour of a transport. */
export type TransportTest = ConformanceTest<TransportEnvironment, TransportFeatures>;

/** Does not apply without the feature. */
export function needs(
  feature: "history" | "colocated" | "bodyLimit" | "crash" | "foreign" | "replay" | "positions",
): (features: TransportFeatures) => string | undefined {
  return (features) => (features[feature] ? undefined : `the transport has no ${feature}`);
}

/** Does not apply where nobody owns lanes. */
export function needsLanes(features: TransportFeatures): string | undefined {
  return features.lanes === "owned" ? undefined : "the transport has no owned lanes";
}

/** Does not apply without both. */
export function needsLanesAndStore(features: TransportFeatures): string | undefined {
  return needsLanes(features) ?? needs("colocated")(features);
}
