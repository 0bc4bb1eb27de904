// Contracts
export { command, event } from "./contracts/contract.ts";
export type {
  AnyContract,
  BodyOf,
  Command,
  CommandOptions,
  Contract,
  Event,
  EventOptions,
  InputOfContract,
  ReplyOf,
  Where,
  WhereTest,
} from "./contracts/contract.ts";
export type { StandardSchema } from "./contracts/standard-schema.ts";

// Services and handlers
export { service } from "./pipeline/service.ts";
export type { Handler, HandlerOptions, RetryPolicy, Service, ServiceOptions } from "./pipeline/service.ts";
export type { HandlerContext, MessageFacts, SendOptions, Sent, UnitOfWorkSql, When } from "./pipeline/context.ts";

// The bus
export { createBus } from "./bus/bus.ts";
export type {
  Bus,
  BusOptions,
  Health,
  Infrastructure,
  Operations,
  OutboxHealth,
  Sender,
  SubscriptionHealth,
  TransactionOptions,
  UnitOfWork,
} from "./bus/api.ts";
export type { Alert, AlertOptions } from "./telemetry/alert.ts";
export type { LetterFilter, LetterOperations, RedriveOptions, RedriveResult } from "./deadletters/types.ts";
export type { DeadLetter, DeadLetterFilter, DeadLetterGroup } from "./ports/dead-letters.ts";
export type { Recurrence } from "./ports/schedule.ts";
export type { Sql, SqlRow, SqlValue } from "./ports/sql.ts";
export type { Logger } from "./ports/logger.ts";

// Time, chance and ids: what a bus takes, and its defaults
export { systemClock } from "./base/clock.ts";
export type { Clock, Timer } from "./base/clock.ts";
export { systemRandom } from "./base/random.ts";
export type { Random } from "./base/random.ts";
export { uuidv7Ids } from "./base/ids.ts";
export type { Ids } from "./base/ids.ts";

// Foreign messages
export { bodyIdentity, headerIdentity, mappings } from "./envelope/foreign-mappings.ts";
export type { BodyIdentityOptions, HeaderIdentityOptions, IdentityNames } from "./envelope/foreign-mappings.ts";
export { cloudEventsIdentity } from "./envelope/foreign-cloudevents.ts";
export { writeBody, writeHeaders } from "./envelope/foreign-writers.ts";
export type { ForeignForm } from "./envelope/foreign-writers.ts";
export type { ForeignIdentity, ForeignMapping } from "./envelope/foreign.ts";

export type { PlainForm } from "./envelope/plain.ts";

// Errors
export { isPostriderError, PostriderError } from "./base/errors.ts";
export type { ErrorCode } from "./base/errors.ts";
