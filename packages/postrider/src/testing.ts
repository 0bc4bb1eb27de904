// Conformance suites for adapters
export { storeConformance } from "./testing/store-conformance.ts";
export type { StoreConformanceOptions } from "./testing/store-conformance.ts";
export type { StoreFeatures, StoreFixture, StoreInstance } from "./testing/store-environment.ts";
export { transportConformance } from "./testing/transport-conformance.ts";
export type { TransportConformanceOptions } from "./testing/transport-conformance.ts";
export type { TransportFeatures, TransportFixture, TransportInstance } from "./testing/transport-environment.ts";
export type { AdapterFixture, SuiteRunner, SuiteSkip, TestFunction } from "./testing/suite.ts";
