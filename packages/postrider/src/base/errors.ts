/** One row of the error table. `{name}` in `message` is filled from the details given to {@link fail}. */
export interface ErrorRow {
  /** What happened, to which thing, and what to try. Never a secret, never a payload. */
  readonly message: string;
  /** Whether the same call may succeed later without anybody changing anything. */
  readonly retryable: boolean;
}

const row = (message: string, retryable = false): ErrorRow => ({ message, retryable });

/** A code of the error table. */
export type ErrorCode =
  | "PR_ABORTED"
  | "PR_BODY_INVALID"
  | "PR_BODY_TOO_LARGE"
  | "PR_BODY_UNREADABLE"
  | "PR_CALL_INVALID"
  | "PR_CONFIG_INVALID"
  | "PR_CONTEXT_SEALED"
  | "PR_CONTRACT_UNKNOWN"
  | "PR_DEAD_LETTER_BUSY"
  | "PR_DEAD_LETTER_UNKNOWN"
  | "PR_DESTINATION_UNKNOWN"
  | "PR_ENVELOPE_UNREADABLE"
  | "PR_EXPIRED"
  | "PR_FEATURE_REFUSED"
  | "PR_HANDLER_FAILED"
  | "PR_HANDLER_TIMEOUT"
  | "PR_ID_CONFLICT"
  | "PR_LEASE_LOST"
  | "PR_LANE_PAUSED"
  | "PR_NOT_STARTED"
  | "PR_OUTBOX_REPLICATION"
  | "PR_OUTBOX_STALLED"
  | "PR_OUTCOME_UNKNOWN"
  | "PR_OWNER_MISSING"
  | "PR_OWNER_TWICE"
  | "PR_POISON"
  | "PR_REPLY_FAILED"
  | "PR_REPLY_MISSING"
  | "PR_REPLY_UNEXPECTED"
  | "PR_REQUEST_TIMEOUT"
  | "PR_SCHEDULE_UNKNOWN"
  | "PR_SEND_INVALID"
  | "PR_SHUTDOWN"
  | "PR_STORE_CLOSED"
  | "PR_STORE_CONFLICT"
  | "PR_STORE_CORRUPT"
  | "PR_STORE_FAILED"
  | "PR_STORE_FULL"
  | "PR_STORE_NEEDED"
  | "PR_STORE_PATH"
  | "PR_STORE_SYNC_FAILED"
  | "PR_STORE_VERSION"
  | "PR_SUBSCRIPTION_USED"
  | "PR_TOPOLOGY_DRIFT"
  | "PR_TRANSACTION_OPEN"
  | "PR_TRANSACTION_HELD"
  | "PR_TRANSPORT_CLOSED"
  | "PR_TRANSPORT_FAILED"
  | "PR_UNHANDLED"
  | "PR_VERSION_UNKNOWN";

/**
 * Every error that Postrider throws, by code.
 *
 * Mirrored in `docs/reference/errors.md` in English and Korean; a test compares both.
 */
export const ERRORS: Readonly<Record<ErrorCode, ErrorRow>> = {
  PR_ABORTED: row("{during} was aborted. Nothing is wrong with the message; it stays where it was."),
  PR_BODY_INVALID: row("The body of {contract} v{version} does not fit its schema: {issues}. Mend the sender, or the schema."),
  PR_BODY_TOO_LARGE: row(
    "A message of {contract} has {bytes} bytes; the limit is {limit}. Send a reference to the data instead, or raise maxBodyBytes.",
  ),
  PR_BODY_UNREADABLE: row(
    "The body of a message on {destination} cannot be decoded: {detail}. It is kept byte for byte; mend and redrive it.",
  ),
  PR_CALL_INVALID: row("{call} was called with what it cannot mean: {mistakes}. Nothing was done; correct the call."),
  PR_CONFIG_INVALID: row("The configuration is wrong: {mistakes}. Correct these and start again."),
  PR_CONTEXT_SEALED: row(
    "{call} was called after the unit of work of {handler} had ended. Await everything that a handler starts before it returns.",
  ),
  PR_CONTRACT_UNKNOWN: row(
    "Nobody in this app handles {contract}. Handle it in a service, or, if its readers are elsewhere, list it in createBus({ external: [ … ] }).",
  ),
  PR_DEAD_LETTER_BUSY: row("The dead letter {id} is being redriven. Wait for its outcome."),
  PR_DEAD_LETTER_UNKNOWN: row("There is no dead letter {id}. It may have been redriven or purged."),
  PR_DESTINATION_UNKNOWN: row("{transport} has no destination {destination}. Apply the topology first, or correct the name."),
  PR_ENVELOPE_UNREADABLE: row(
    "A message on {destination} has no readable envelope: {detail}. It is kept byte for byte; add a foreign mapping to read such messages.",
  ),
  PR_EXPIRED: row("The message {id} of {contract} expired at {at}, before its handler started."),
  PR_FEATURE_REFUSED: row("{feature} is not possible with {adapter}: {reason}."),
  PR_HANDLER_FAILED: row("The handler of {contract} in {service} failed: {reason}.", true),
  PR_HANDLER_TIMEOUT: row(
    "The handler of {contract} in {service} did not end within {limitMs} ms. Raise its timeoutMs, or split the work.",
    true,
  ),
  PR_ID_CONFLICT: row("The id {id} was used before with another body. Use a new id for another message; this one is quarantined."),
  PR_LEASE_LOST: row("Another process has taken over {lease}; what this one did since is rolled back.", true),
  PR_LANE_PAUSED: row(
    "{destination} lane {lane} is paused: {parked} messages are parked behind the key {key}. Redrive or purge its dead letter.",
    true,
  ),
  PR_NOT_STARTED: row("{call} needs a started bus. Await bus.start() first."),
  PR_OUTBOX_REPLICATION: row(
    "The outbox of {service} cannot be read by logical replication as it should: {detail}. It is polled meanwhile; no row is lost.",
    true,
  ),
  PR_OUTBOX_STALLED: row("The outbox of {service} cannot forget what is done: {detail}. End that session, or its transaction.", true),
  PR_OUTCOME_UNKNOWN: row(
    "{transport} did not confirm {count} messages in {deadlineMs} ms; they may have arrived. Send again with the same id.",
    true,
  ),
  PR_OWNER_MISSING: row("The command {contract} has no service that handles it. Add its owner to `services`."),
  PR_OWNER_TWICE: row("The command {contract} is handled by {services}. A command has exactly one owner."),
  PR_POISON: row(
    "The message {id} of {contract} was started {starts} times and each time the process ended before it was settled. It is not run again by itself.",
  ),
  PR_REPLY_FAILED: row("{service} answered {contract} with a failure: {reason}."),
  PR_REPLY_MISSING: row("The handler of {contract} in {service} ended without calling reply(). Commands with a reply schema must reply."),
  PR_REPLY_UNEXPECTED: row(
    "{contract} has no reply schema, so it can be neither requested nor replied to. Add `reply` to the contract, or send it instead.",
  ),
  PR_REQUEST_TIMEOUT: row(
    "No reply to {contract} within {timeoutMs} ms. The command may still be handled; it expires with the timeout.",
    true,
  ),
  PR_SCHEDULE_UNKNOWN: row("There is no scheduled message {id}. It may have been sent or cancelled."),
  PR_SEND_INVALID: row("A message of {contract} cannot be sent: {mistakes}. Correct the options of this call."),
  PR_SHUTDOWN: row("The bus is stopping; {during} was given back and counts as no failure.", true),
  PR_STORE_CLOSED: row("The store {store} is closed. {during} needs an open one."),
  PR_STORE_CONFLICT: row(
    "A transaction on {store} lost to another one during {during}: {detail}. Nothing of it was written; it can run again.",
    true,
  ),
  PR_STORE_CORRUPT: row(
    "The file {file} is damaged: {detail}. Stop every process that uses it, restore a backup, or recover what is readable with `sqlite3 FILE .recover`.",
  ),
  PR_STORE_FAILED: row("The store {store} failed during {during}: {detail}.", true),
  PR_STORE_FULL: row(
    "There is no space left to write {file}. Free space on its disk; nothing acknowledged is lost, and work resumes by itself.",
    true,
  ),
  PR_STORE_NEEDED: row('{feature} needs a store, but {service} runs with store: "none". Give the service a store.'),
  PR_STORE_PATH: row(
    "The database {file} cannot be opened: {detail}. Nothing was changed. Correct the path, or let this process read and write the file and its folder.",
  ),
  PR_STORE_SYNC_FAILED: row(
    "{file} could not be synced to disk: {detail}. What was not acknowledged may be lost; the process must be restarted after the disk is mended.",
  ),
  PR_STORE_VERSION: row("{file} was written by a newer Postrider (schema {found}, this one knows {known}). Update this process."),
  PR_SUBSCRIPTION_USED: row("The subscription of {service} to {destination} is not retired: {reason}."),
  PR_TOPOLOGY_DRIFT: row(
    "The topology of {transport} differs from the contracts: {changes}. Apply the plan, or mark the destinations external.",
  ),
  PR_TRANSACTION_OPEN: row(
    "{call} must be called before the unit of work opens, that is before the first use of tx. Move it up in {handler}{instead}.",
  ),
  PR_TRANSACTION_HELD: row(
    "The unit of work of {handler} has been open for {heldMs} ms and holds up others. Call the outside world before the first use of tx, and send with the `send` that it was given: what awaits bus.as(…) in there waits for itself.",
  ),
  PR_TRANSPORT_CLOSED: row("The transport {transport} is closed. {during} needs an open one.", true),
  PR_TRANSPORT_FAILED: row("{transport} failed during {during}: {detail}.", true),
  PR_UNHANDLED: row("{service} has no handler for {contract}, which came on {destination}. Deploy its handler, then redrive it."),
  PR_VERSION_UNKNOWN: row("{contract} v{version} is not known here (known: {known}). Deploy the version, or add an upcast; then redrive."),
};

/** What fills the placeholders of an error's message. */
export type ErrorDetails = Readonly<Record<string, string | number | boolean | undefined>>;

/** The one error class of Postrider. Narrow it with {@link isPostriderError}, never by its text. */
export class PostriderError extends Error {
  /** The row of the error table. */
  readonly code: ErrorCode;
  /** Whether the same call may succeed later by itself. */
  readonly retryable: boolean;
  /** The facts in the message, for logs. */
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, details: ErrorDetails, options?: ErrorOptions) {
    super(`${code}: ${render(ERRORS[code].message, details)}`, options);
    this.name = "PostriderError";
    this.code = code;
    this.retryable = ERRORS[code].retryable;
    this.details = details;
  }
}

/** Makes an error from the table: `throw fail("PR_SHUTDOWN", { during: "send" })`. */
export function fail(code: ErrorCode, details: ErrorDetails = {}, options?: ErrorOptions): PostriderError {
  return new PostriderError(code, details, options);
}

/** Whether `error` is Postrider's, and has this code if one is given. Works across copies of the package, and on whatever may be thrown. */
export function isPostriderError(error: unknown, code?: ErrorCode): error is PostriderError {
  try {
    if (typeof error !== "object" || error === null || (error as { name?: unknown }).name !== "PostriderError") return false;
    return code === undefined || (error as { code?: unknown }).code === code;
  } catch {
    return false; // its getters throw, or it is a revoked proxy: none of ours
  }
}

/** What was thrown; or an error in its place where it cannot be looked at, as a revoked proxy, or one whose getters throw: whoever asks what it is would fail of it. */
export function presentable(thrown: unknown): unknown {
  if ((typeof thrown !== "object" && typeof thrown !== "function") || thrown === null) return thrown;
  try {
    // Not its stack: that is made when it is first asked for, and most that come here are never shown.
    for (const name of ["name", "code", "message", "cause"]) Reflect.get(thrown, name);
    Object.getPrototypeOf(thrown);
    return thrown;
  } catch {
    return new Error(reasonOf(thrown));
  }
}

/** The text of whatever was thrown: an Error's message, or the value itself as far as it can be shown. */
export function reasonOf(thrown: unknown): string {
  try {
    if (thrown instanceof Error) return String(thrown.message || thrown.name);
    return typeof thrown === "string" ? thrown : `a thrown ${thrown === null ? "null" : typeof thrown}: ${String(JSON.stringify(thrown))}`;
  } catch {
    return "a thrown value that cannot be shown";
  }
}

function render(template: string, details: ErrorDetails): string {
  return template.replace(/\{(\w+)\}/g, (_, name: string) => String(details[name] ?? "?"));
}
