import { service } from "postrider";
import type { HandlerOptions } from "postrider";
import { ChargePayment, PaymentCaptured, PaymentDeclined, PaymentRefunded, RefundPayment } from "../../contracts/payment.ts";
import { SOON } from "../../part.ts";
import type { Part } from "../../part.ts";
import type { PaymentProvider } from "./provider-client.ts";
import { record, TABLES } from "./store.ts";

// An outage of the provider ends some day, and until then the order waits; a mistake of ours needs a person.
const CALLING: HandlerOptions = {
  retry: { ...SOON, byCode: { "payment.unavailable": "always", "payment.rejected": "never" } },
  timeoutMs: 10_000,
};

/** Payment: moves money by the provider, each order's once. */
export function payment(provider: PaymentProvider): Part {
  const definition = service("payment", (on) => {
    on(
      ChargePayment,
      async ({ orderId, amount }, { once, tx, publish }) => {
        const result = await once("charge", (_key, signal) => provider.charge({ orderId, amount }, signal));
        const isCaptured = result.outcome === "captured";
        if (!(await record(tx, { orderId, kind: "charge", chargeId: isCaptured ? result.chargeId : null, amount }))) return;
        if (isCaptured) publish(PaymentCaptured, { orderId, chargeId: result.chargeId, amount });
        else publish(PaymentDeclined, { orderId, amount });
      },
      CALLING,
    );
    on(
      RefundPayment,
      async ({ orderId, chargeId, amount }, { once, tx, publish }) => {
        await once("refund", async (_key, signal) => {
          await provider.refund({ orderId, chargeId, amount }, signal);
          return true;
        });
        if (await record(tx, { orderId, kind: "refund", chargeId, amount })) publish(PaymentRefunded, { orderId, chargeId, amount });
      },
      CALLING,
    );
  });
  return { service: definition, tables: TABLES };
}
