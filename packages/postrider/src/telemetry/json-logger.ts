import type { Clock } from "../base/clock.ts";
import type { LogFields, Logger } from "../ports/logger.ts";

/** From which level on lines are written. */
export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

/** What {@link jsonLogger} takes. */
export interface JsonLoggerOptions {
  readonly level: LogLevel;
  /** Gets each line, with its line end. */
  readonly write: (line: string) => void;
  readonly clock: Clock;
}

const LEVEL_NUMBERS = { debug: 20, info: 30, warn: 40, error: 50, silent: Number.POSITIVE_INFINITY } as const; // pino's
const MAX_CAUSES = 5;

/** Writes JSON lines as pino does, so that its tools read them: `level`, `time`, the fields, `msg`. Never throws, whatever the fields hold. */
export function jsonLogger({ level, write, clock }: JsonLoggerOptions): Logger {
  const at = (name: keyof Logger): ((fields: LogFields, text: string) => void) => {
    const number = LEVEL_NUMBERS[name];
    if (number < LEVEL_NUMBERS[level]) return ignore;
    return (fields, text) => {
      try {
        write(`${lineOf(number, clock.now(), fields, text)}\n`);
      } catch {
        // A log that cannot be written must not stop the work that it tells of.
      }
    };
  };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/** Says nothing. */
export const silentLogger: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore };

function ignore(): void {}

function lineOf(level: number, time: number, fields: LogFields, text: string): string {
  try {
    return JSON.stringify({ level, time, ...fields, msg: text }, plain);
  } catch {
    return JSON.stringify({ level, time, ...showable(fields), msg: text });
  }
}

/** What JSON has no word for. */
function plain(_: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  return value instanceof Error ? errorFields(value) : value;
}

function errorFields(error: Error, depth = 0): LogFields {
  const { name, message, stack, cause } = error;
  const { code } = error as { code?: unknown };
  return {
    type: name,
    message,
    stack,
    ...(code === undefined ? {} : { code }),
    ...(cause instanceof Error && depth < MAX_CAUSES ? { cause: errorFields(cause, depth + 1) } : {}),
  };
}

/** The fields one by one: what is circular, or throws when it is read, is left out, by name. */
function showable(fields: LogFields): LogFields {
  const shown: Record<string, unknown> = {};
  for (const name of Object.keys(fields)) {
    try {
      shown[name] = JSON.parse(JSON.stringify(fields[name], plain) ?? "null");
    } catch {
      shown[name] = "<cannot be shown>";
    }
  }
  return shown;
}
