import { writeBody, writeHeaders } from "./foreign-writers.ts";
import type { ForeignForm } from "./foreign-writers.ts";
import type { Outgoing } from "./envelope.ts";

/** How messages of a destination are written so that readers who know nothing of Postrider find their identity. */
export interface PlainForm extends ForeignForm {
  /** In headers beside the envelope, the body as it is; or in the body, around what it carries. */
  readonly identity: "headers" | "body";
}

/** The member of a plain body that holds what the contract knows; undefined where bodies are written as they are. */
export function payloadNameOf(form: PlainForm | undefined): string | undefined {
  return form?.identity === "body" ? (form.payloadName ?? "payload") : undefined;
}

/** The same message, readable for both: the envelope stays, the identity is added in the plain form. */
export function plainly(message: Outgoing, form: PlainForm): Outgoing {
  const { envelope, headers, body } = message;
  if (form.identity === "headers") return { ...message, headers: { ...writeHeaders(envelope, form), ...headers } };
  const text = typeof body === "string" ? body : Buffer.from(body).toString();
  // Around the text itself, so that the payload's bytes are those that were validated.
  const name = payloadNameOf(form)!;
  const frame = JSON.stringify(writeBody(envelope, null, form));
  return { ...message, body: `${frame.slice(0, frame.lastIndexOf(`${JSON.stringify(name)}:null`))}${JSON.stringify(name)}:${text}}` };
}
