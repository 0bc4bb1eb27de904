import type { LogFields, Logger } from "../ports/logger.ts";

/** A logger that puts the same fields on every line; a line's own fields win. */
export function boundLogger(logger: Logger, bound: LogFields): Logger {
  return {
    debug: (fields, text) => logger.debug({ ...bound, ...fields }, text),
    info: (fields, text) => logger.info({ ...bound, ...fields }, text),
    warn: (fields, text) => logger.warn({ ...bound, ...fields }, text),
    error: (fields, text) => logger.error({ ...bound, ...fields }, text),
  };
}
