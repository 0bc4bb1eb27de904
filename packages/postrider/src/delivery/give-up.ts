import type { DeadLetterList } from "../ports/dead-letters.ts";
import { logFailure } from "./failure-line.ts";
import type { Failure } from "./policy.ts";
import type { Runtime } from "./runtime.ts";
import type { Settlement } from "./settlement.ts";
import type { Work } from "./work.ts";

/** Makes a dead letter of a message, and tells people. */
export async function giveUp(
  place: { readonly runtime: Runtime; readonly settlement: Settlement },
  work: Work,
  list: DeadLetterList,
  failure: Failure,
): Promise<void> {
  const { runtime, settlement } = place;
  const id = await settlement.bury(work, list, failure);
  logFailure(runtime, work, failure, `is a dead letter now: ${id}`);
  const { name } = work.ready.definition.contract;
  runtime.alert({
    kind: "deadLetter",
    service: runtime.service,
    contract: name,
    code: failure.code,
    deadLetterId: id,
    text: `${name} was given up by ${runtime.service} after ${work.failures} attempts: ${failure.reason}`,
  });
}
