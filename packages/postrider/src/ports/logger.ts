/** What a log line carries beside its text. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Where log lines go: pino fits as it is. */
export interface Logger {
  debug(fields: LogFields, text: string): void;
  info(fields: LogFields, text: string): void;
  warn(fields: LogFields, text: string): void;
  error(fields: LogFields, text: string): void;
}
