import type { StoreEnvironment, StoreFeatures } from "../store-environment.ts";
import type { ConformanceTest } from "../suite.ts";

/** One behaviour of a store. */
export type StoreTest = ConformanceTest<StoreEnvironment, StoreFeatures>;

/** Does not apply without the feature. */
export function needs(feature: keyof StoreFeatures): (features: StoreFeatures) => keyof StoreFeatures | undefined {
  return (features) => (features[feature] ? undefined : feature);
}
