import type { Clock } from "../base/clock.ts";
import { isPromise } from "../base/deferred.ts";
import type { MaybePromise } from "../base/deferred.ts";
import { fail } from "../base/errors.ts";
import { isContract } from "../contracts/contract.ts";
import type { AnyContract, ContractKind } from "../contracts/contract.ts";
import { validateInput } from "../contracts/read.ts";
import type { BodyReading } from "../contracts/read.ts";
import type { ContractIndex } from "../contracts/registry.ts";
import type { Compose } from "../delivery/runtime.ts";
import type { Envelope, Outgoing } from "../envelope/envelope.ts";
import { plainly } from "../envelope/plain.ts";
import type { PlainForm } from "../envelope/plain.ts";
import { bodyText, destinationOf, draft } from "../envelope/outgoing.ts";
import type { Telemetry } from "../ports/telemetry.ts";
import type { Transport } from "../ports/transport.ts";

/** Why a transport's `none` is refused. */
export const NO_PRIORITY =
  'it hands messages over in the order of its log. Where it is enough that urgent ones go first among those that an instance has taken, say so to the transport: priority: "fetched"';

/** What making messages needs to know of the app. */
export interface ComposerOptions {
  readonly service: string;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly contracts: ContractIndex;
  readonly destinations: ReadonlySet<string>;
  readonly transportOf: (kind: ContractKind) => Pick<Transport, "name" | "capabilities">;
  readonly maxBodyBytes: number;
  /** By destination: how it is written for readers that know nothing of us. */
  readonly plain: Readonly<Record<string, PlainForm>>;
  /** Whether a re-run may send the same ids again without a transaction to prevent it. */
  readonly mayRepeat: boolean;
}

/** Makes a service's messages. What has no place to go is refused where it is sent, not lost where it would arrive. */
export function composer(options: ComposerOptions): Compose {
  const { service, clock, telemetry, maxBodyBytes, mayRepeat, plain } = options;
  const routed = new WeakSet<AnyContract>();
  return (contract, body, request) => {
    if (!routed.has(contract)) {
      requireRoute(contract, options);
      routed.add(contract);
    }
    const { options: sending, identify, cause, replyTo, leavesAtMs } = request;
    if (sending?.priority === "high") requirePriority(contract, options);
    const nowMs = clock.now();
    const mayComeAgain = mayRepeat && cause !== undefined;
    const drafted = draft(
      contract,
      body,
      { service, nowMs, identify, maxBodyBytes, mayRepeat: mayComeAgain, trace: telemetry.inject(), cause, replyTo, leavesAtMs },
      sending,
    );
    const form = plain[destinationOf(contract)];
    if (form === undefined) return drafted;
    const write = (messages: readonly Outgoing[]): readonly Outgoing[] => messages.map((message) => plainly(message, form));
    return { id: drafted.id, messages: isPromise(drafted.messages) ? drafted.messages.then(write) : write(drafted.messages) };
  };
}

/** @throws PR_FEATURE_REFUSED */
function requirePriority(contract: AnyContract, { transportOf }: ComposerOptions): void {
  const { name, capabilities } = transportOf(contract.kind);
  if (capabilities.priority === "none")
    throw fail("PR_FEATURE_REFUSED", { feature: `the priority of ${contract.name}`, adapter: name, reason: NO_PRIORITY });
}

function requireRoute(contract: AnyContract, { contracts, destinations }: ComposerOptions): void {
  if (!isContract(contract))
    throw fail("PR_SEND_INVALID", { contract: String(contract), mistakes: "a contract is made by command() or event()" });
  if (contract.kind === "command" && contracts.family(contract.name) === undefined)
    throw fail("PR_OWNER_MISSING", { contract: contract.name });
  if (!destinations.has(destinationOf(contract))) throw fail("PR_CONTRACT_UNKNOWN", { contract: contract.name });
}

/**
 * Validates and encodes a body for the contract that an envelope names.
 * @throws PR_CONTRACT_UNKNOWN, PR_BODY_INVALID, PR_BODY_TOO_LARGE
 */
export function encodeBody(
  contracts: ContractIndex,
  envelope: Pick<Envelope, "type" | "contractversion">,
  body: unknown,
  maxBodyBytes: number,
): MaybePromise<string> {
  const contract = contracts.find(envelope.type, envelope.contractversion);
  if (contract === undefined) throw fail("PR_CONTRACT_UNKNOWN", { contract: `${envelope.type} v${envelope.contractversion}` });
  const encode = (reading: BodyReading): string => {
    if (reading.error !== undefined) throw reading.error;
    return bodyText(contract, contract.version, body, maxBodyBytes);
  };
  const reading = validateInput(contract, body);
  return isPromise(reading) ? reading.then(encode) : encode(reading);
}
