import type { ConformanceTest } from "../suite.ts";
import type { TransportEnvironment, TransportFeatures } from "../transport-environment.ts";

/** One behaviour of a transport. */
export type TransportTest = ConformanceTest<TransportEnvironment, TransportFeatures>;

/** Does not apply without the feature. */
export function needs(
  feature: "history" | "colocated" | "bodyLimit" | "crash" | "foreign" | "replay" | "positions" | "retire",
): (features: TransportFeatures) => keyof TransportFeatures | undefined {
  return (features) => (features[feature] === true ? undefined : feature);
}

/** Does not apply where nobody owns lanes. */
export function needsLanes(features: TransportFeatures): keyof TransportFeatures | undefined {
  return features.lanes === "owned" ? undefined : "lanes";
}

/** Does not apply without both. */
export function needsLanesAndStore(features: TransportFeatures): keyof TransportFeatures | undefined {
  return needsLanes(features) ?? needs("colocated")(features);
}
