import { isPromise } from "../base/deferred.ts";
import type { MaybePromise } from "../base/deferred.ts";
import { fail } from "../base/errors.ts";
import type { PostriderError } from "../base/errors.ts";
import type { AnyContract } from "./contract.ts";
import { describeIssues } from "./issues.ts";
import type { SchemaResult, StandardSchema } from "./standard-schema.ts";

/** A body as a handler gets it, or why it is refused. */
export type BodyReading = { readonly error: undefined; readonly body: unknown } | { readonly error: PostriderError };

/** An older version of a body, for readers that know only that. */
export interface AdaptedCopy {
  readonly version: number;
  readonly body: unknown;
}

/**
 * Reads a body of `version` as the contract's own version: upcasts it, then validates it.
 *
 * Refusals are values, not exceptions: PR_VERSION_UNKNOWN, PR_BODY_INVALID. A promise only where the schema gives one.
 */
export function readBody(contract: AnyContract, version: number, body: unknown): MaybePromise<BodyReading> {
  const upcast = upcastBody(contract, version, body);
  return upcast.error === undefined ? validateInput(contract, upcast.body) : upcast;
}

/** Brings a body of `version` to the contract's own version, without validating it. */
export function upcastBody(contract: AnyContract, version: number, body: unknown): BodyReading {
  if (version === contract.version) return { error: undefined, body };
  if (!canRead(contract, version)) return { error: versionUnknown(contract.name, version, readableVersions(contract)) };
  let current = body;
  try {
    for (let from = version; from < contract.version; from++) current = contract.upcast[from]!(current);
  } catch (cause) {
    return { error: invalid({ contract: contract.name, version }, "its upcast failed", cause) };
  }
  return { error: undefined, body: current };
}

/** Validates what a sender gave; `body` of the reading is what its handlers will get. Refusals are values: PR_BODY_INVALID. */
export function validateInput(contract: AnyContract, body: unknown): MaybePromise<BodyReading> {
  return validate(contract.schema as StandardSchema, body, { contract: contract.name, version: contract.version });
}

/** Validates a reply to a command, when it is sent and when it comes. Refusals are values: PR_BODY_INVALID, PR_REPLY_UNEXPECTED. */
export function validateReply(contract: AnyContract, body: unknown): MaybePromise<BodyReading> {
  if (contract.reply === undefined) return { error: fail("PR_REPLY_UNEXPECTED", { contract: contract.name }) };
  return validate(contract.reply as StandardSchema, body, { contract: `${contract.name} (reply)`, version: contract.version });
}

/** The body of a reading. @throws what refuses it */
export function acceptedBody(reading: BodyReading): unknown {
  if (reading.error !== undefined) throw reading.error;
  return reading.body;
}

/** Whether the contract reads bodies of a version: its own, or one with an upcast at every step from there. */
export function canRead(contract: AnyContract, version: number): boolean {
  if (version === contract.version) return true;
  if (!Number.isInteger(version) || version < 1 || version > contract.version) return false;
  for (let from = version; from < contract.version; from++) if (!Object.hasOwn(contract.upcast, from)) return false;
  return true;
}

/** The versions that a contract reads, oldest first. */
export function readableVersions(contract: AnyContract): readonly number[] {
  let oldest = contract.version;
  while (oldest > 1 && Object.hasOwn(contract.upcast, oldest - 1)) oldest--;
  return Array.from({ length: contract.version - oldest + 1 }, (_, at) => oldest + at);
}

/** The error for a version that nobody here reads. */
export function versionUnknown(name: string, version: number, known: readonly number[]): PostriderError {
  return fail("PR_VERSION_UNKNOWN", { contract: name, version, known: known.map((one) => `v${one}`).join(", ") });
}

/**
 * The older versions of a validated body that are published beside it, newest first.
 * @throws PR_BODY_INVALID when one cannot be made
 */
export function adaptedCopies(contract: AnyContract, body: unknown): readonly AdaptedCopy[] {
  const versions = Object.keys(contract.alsoAs);
  if (versions.length === 0) return NO_COPIES;
  const copies = versions.map(Number).sort((left, right) => right - left);
  return copies.map((version) => {
    try {
      return { version, body: contract.alsoAs[version]!(body) };
    } catch (cause) {
      throw invalid({ contract: contract.name, version }, `it cannot be made from v${contract.version}`, cause);
    }
  });
}

/** What is validated, for the error's text. */
interface Validated {
  readonly contract: string;
  readonly version: number;
}

const NO_COPIES: readonly AdaptedCopy[] = [];

function validate(schema: StandardSchema, body: unknown, subject: Validated): MaybePromise<BodyReading> {
  try {
    const result = schema["~standard"].validate(body);
    if (!isPromise(result)) return judged(result, body, subject);
    return result.then(
      (late) => judged(late, body, subject),
      (cause: unknown) => ({ error: invalid(subject, "its schema failed", cause) }),
    );
  } catch (cause) {
    return { error: invalid(subject, "its schema failed", cause) };
  }
}

function judged(result: SchemaResult<unknown>, body: unknown, subject: Validated): BodyReading {
  if (result.issues === undefined) return { error: undefined, body: result.value };
  return { error: invalid(subject, describeIssues(result.issues, body)) };
}

function invalid(subject: Validated, issues: string, cause?: unknown): PostriderError {
  // The cause's own text may quote the body, so it stays a cause; only its kind is said.
  const kind = cause instanceof Error ? ` (${cause.name})` : "";
  return fail(
    "PR_BODY_INVALID",
    { contract: subject.contract, version: subject.version, issues: `${issues}${kind}` },
    cause === undefined ? undefined : { cause },
  );
}
