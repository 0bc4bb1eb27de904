import { z } from "zod";
import { postJson } from "./post-json.ts";
import type { Answer, PostJson } from "./post-json.ts";

/** What came of asking for money. */
export type ChargeOutcome = { readonly outcome: "captured"; readonly chargeId: string } | { readonly outcome: "declined" };

/** The payment provider, as payment needs it. Same key, same body: the same answer. */
export interface PaymentProvider {
  charge(order: { readonly orderId: string; readonly amount: number }, signal: AbortSignal): Promise<ChargeOutcome>;
  refund(charge: { readonly orderId: string; readonly chargeId: string; readonly amount: number }, signal: AbortSignal): Promise<void>;
}

/** The provider could not answer, or we could not understand it: it may have done its work, and will tell when asked again with the same key. */
class ProviderUnavailable extends Error {
  override readonly name = "ProviderUnavailable";
  readonly code = "payment.unavailable";
}

/** The provider says that our call is wrong. Asking again changes nothing. */
class ProviderRejected extends Error {
  override readonly name = "ProviderRejected";
  readonly code = "payment.rejected";
}

const TIME_LIMIT_MS = 2_000;
const Captured = z.object({ chargeId: z.string().min(1) });
const Refunded = z.object({ refundId: z.string().min(1) });

/** Talks to a payment provider over HTTP. */
export function httpProvider(url: string): PaymentProvider {
  const post = postJson(TIME_LIMIT_MS);
  const charges = new URL("/charges", url);
  const refunds = new URL("/refunds", url);
  return {
    async charge({ orderId, amount }, signal) {
      // The key goes by the order, not by the message: whatever asks for it, an order is charged once.
      const answer = await ask(post, charges, `charge-${orderId}`, { orderId, amount, currency: "KRW" }, signal);
      if (answer.status === 402) return { outcome: "declined" };
      return { outcome: "captured", chargeId: expectCreated("/charges", answer, Captured).chargeId };
    },
    async refund({ orderId, chargeId, amount }, signal) {
      expectCreated("/refunds", await ask(post, refunds, `refund-${orderId}`, { chargeId, amount }, signal), Refunded);
    },
  };
}

/** Calls with a key, and makes every way of not answering one error. */
async function ask(post: PostJson, url: URL, key: string, body: object, signal: AbortSignal): Promise<Answer> {
  try {
    return await post(url, { "idempotency-key": key }, JSON.stringify(body), signal);
  } catch (cause) {
    signal.throwIfAborted(); // a stop of ours is no outage of theirs
    throw new ProviderUnavailable(`the payment provider did not answer ${url.pathname}`, { cause });
  }
}

function expectCreated<Schema extends z.ZodType>(path: string, { status, body }: Answer, schema: Schema): z.infer<Schema> {
  if (status >= 400 && status < 500 && status !== 429)
    throw new ProviderRejected(`the payment provider refused ${path} with ${status}${codeOf(body)}`);
  const read = status === 201 ? schema.safeParse(parse(body)) : undefined;
  if (read?.success !== true)
    throw new ProviderUnavailable(`the payment provider answered ${path} with ${status}${status < 400 ? " and something unreadable" : ""}`);
  return read.data;
}

/** The provider's own code for what is wrong, if it gives one that can be shown. */
function codeOf(body: string): string {
  const read = z.object({ code: z.string().regex(/^[\w.-]{1,60}$/) }).safeParse(parse(body));
  return read.success ? ` (${read.data.code})` : "";
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
