import { command, event } from "postrider";
import { z } from "zod";
import { byOrder, STATUSES } from "./shapes.ts";

/** What analytics counts. */
export const Sums = z.object({
  totalOrders: z.int(),
  totalRevenue: z.int(),
  failedPayments: z.int(),
  byStatus: z.record(z.enum(STATUSES), z.int()),
  vipOrders: z.int(),
});

/** What analytics counts. */
export type Sums = z.infer<typeof Sums>;

/** Analytics tells itself to publish its sums, a moment after they changed: one report for many changes. */
export const ReportSums = command("analytics.report", { schema: z.object({}), key: () => "sums" });

/** The sums as they stand. */
export const SumsReported = event("analytics.reported", { schema: Sums, key: () => "sums", ordered: true });

/** An order that deserves attention. */
export const VipSpotted = event("vip.spotted", { schema: z.object({ orderId: z.string(), totalAmount: z.int() }), key: byOrder });

/** What is bought along with a product. */
export const BoughtTogether = z.array(z.object({ productId: z.string(), count: z.int() }));

/** A product's companions have changed. */
export const RecommendationChanged = event("recommendation.changed", {
  schema: z.object({ productId: z.string(), boughtTogether: BoughtTogether }),
  key: (body) => body.productId,
  ordered: true,
});
