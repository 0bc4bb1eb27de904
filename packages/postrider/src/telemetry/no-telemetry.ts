import type { Telemetry } from "../ports/telemetry.ts";

/** Counts nothing and traces nothing. */
export const noTelemetry: Telemetry = {
  sent() {},
  settled() {},
  inject: () => undefined,
  within: (_envelope, _service, run) => run(),
};
