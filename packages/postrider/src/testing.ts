// Conformance suites for adapters
export { storeConformance } from "./testing/store-conformance.ts";
export type { StoreConformanceOptions } from "./testing/store-conformance.ts";
export type { StoreFeatures, StoreFixture, StoreInstance } from "./testing/store-environment.ts";
export { transportConformance } from "./testing/transport-conformance.ts";
export type { TransportConformanceOptions } from "./testing/transport-conformance.ts";
export type { TransportFeatures, TransportFixture, TransportInstance } from "./testing/transport-environment.ts";
export type { AdapterFixture, SuiteRunner, SuiteSkip, TestFunction } from "./testing/suite.ts";

// Users' own tests: an app in memory, on a clock that stands still
export { VirtualClock } from "./base/virtual-clock.ts";
export { testBus } from "./testing/test-bus.ts";
export type { TestBus, TestBusOptions } from "./testing/test-bus.ts";
export type { RecordedLine, RecordedMessage, RecordedRun } from "./testing/recorder.ts";
export { handlerSpec } from "./testing/handler-spec.ts";
export type { Expectation, ExpectedMessage, ExpectedRows, HandledSpec, HandlerSpec, HandlerSpecOptions } from "./testing/handler-spec.ts";
