import type { AnyContract, BodyOf } from "../contracts/contract.ts";
import type { Envelope, Headers, Outgoing } from "../envelope/envelope.ts";
import type { HandlerDefinition, Service } from "../pipeline/service.ts";
import type { LogFields, Logger } from "../ports/logger.ts";

/** A message that left, once it was committed. */
export interface RecordedMessage<Body = unknown> {
  readonly contract: string;
  readonly version: number;
  readonly id: string;
  readonly key: string | undefined;
  /** As it travels: what the schema made of it, through JSON. */
  readonly body: Body;
  readonly envelope: Envelope;
  readonly headers: Headers;
}

/** A run of a handler that has ended. */
export interface RecordedRun<Body = unknown> {
  readonly service: string;
  readonly contract: string;
  readonly version: number;
  readonly id: string;
  readonly attempt: number;
  readonly body: Body;
  /** What it threw; absent when it ended well. */
  readonly error?: unknown;
}

/** A line that was logged. */
export interface RecordedLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly text: string;
  readonly fields: LogFields;
}

/** A handler that is running now. */
interface Running {
  readonly service: string;
  readonly contract: string;
}

/** Writes down what an app does: its messages, the runs of its handlers, its log. */
export class Recorder {
  readonly messages: RecordedMessage[] = [];
  readonly runs: RecordedRun[] = [];
  readonly lines: RecordedLine[] = [];
  readonly #running = new Set<Running>();

  /** The handlers that run now, by service and contract. */
  get running(): readonly string[] {
    return [...this.#running].map(({ service, contract }) => `${service} handling ${contract}`);
  }

  /** Writes a committed message down. */
  stored({ envelope, headers, body }: Outgoing): void {
    const { type, contractversion, id, partitionkey } = envelope;
    const parsed: unknown = typeof body === "string" ? parse(body) : body;
    this.messages.push({ contract: type, version: contractversion, id, key: partitionkey, body: parsed, envelope, headers });
  }

  /** A service whose handlers are written down as long as their process is alive. */
  watched(service: Service, isAlive: () => boolean): Service {
    return { ...service, handlers: service.handlers.map((definition) => this.#watchedHandler(service.name, definition, isAlive)) };
  }

  /** Where the log goes. */
  logger(): Logger {
    const at = (level: RecordedLine["level"]) => (fields: LogFields, text: string) => void this.lines.push({ level, text, fields });
    return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
  }

  /** The running handlers are gone with their process. */
  forgetRunning(): void {
    this.#running.clear();
  }

  #watchedHandler(service: string, definition: HandlerDefinition, isAlive: () => boolean): HandlerDefinition {
    const { contract, handler } = definition;
    const watched: HandlerDefinition["handler"] = async (body, context) => {
      const { id, version, attempt } = context.message;
      const facts = { service, contract: contract.name, version, id, attempt, body: body as unknown };
      const running = { service, contract: contract.name };
      this.#running.add(running);
      try {
        await handler(body, context);
        if (isAlive()) this.runs.push(facts);
      } catch (error) {
        if (isAlive()) this.runs.push({ ...facts, error });
        throw error;
      } finally {
        this.#running.delete(running);
      }
    };
    return { ...definition, handler: watched };
  }
}

/** Those of a contract: name and version. */
export function ofContract<Of extends AnyContract, Item extends { readonly contract: string; readonly version: number }>(
  items: readonly Item[],
  contract: Of | undefined,
): (Item & { readonly body: BodyOf<Of> })[] {
  const found =
    contract === undefined ? items : items.filter((item) => item.contract === contract.name && item.version === contract.version);
  return [...found] as (Item & { readonly body: BodyOf<Of> })[];
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
