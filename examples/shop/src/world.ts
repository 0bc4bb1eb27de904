import { systemClock, systemRandom, uuidv7Ids } from "postrider";
import type { Clock, Ids, Logger, Random } from "postrider";

/** What the shop takes from outside: time, chance, ids, and where its log goes. */
export interface World {
  readonly clock: Clock;
  readonly random: Random;
  readonly ids: Ids;
  readonly logger: Logger;
}

/** The real one: the machine's clock and chance, JSON lines on stderr from `warn` on. */
export function systemWorld(write: (line: string) => void): World {
  const line = (level: number, fields: Readonly<Record<string, unknown>>, msg: string): void =>
    write(`${JSON.stringify({ level, time: systemClock.now(), ...plain(fields), msg })}\n`);
  const none = (): void => undefined;
  const logger: Logger = {
    debug: none,
    info: none,
    warn: (fields, text) => line(40, fields, text),
    error: (fields, text) => line(50, fields, text),
  };
  return { clock: systemClock, random: systemRandom, ids: uuidv7Ids(systemClock), logger };
}

/** Fields that JSON can show: an error shows its type, code, text and stack, as pino has it. */
function plain(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { err } = fields;
  if (!(err instanceof Error)) return fields;
  return { ...fields, err: { type: err.name, code: (err as { readonly code?: unknown }).code, message: err.message, stack: err.stack } };
}
