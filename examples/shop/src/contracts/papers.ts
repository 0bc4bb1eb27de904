import { command, event } from "postrider";
import { z } from "zod";
import { byOrder, Line, STATUSES } from "./shapes.ts";

/** Writes the invoice of an order. */
export const CreateInvoice = command("invoice.create", {
  schema: z.object({ orderId: z.string(), customerId: z.string(), totalAmount: z.int(), items: z.array(Line) }),
  key: byOrder,
  sensitive: ["customerId"],
});

/** An invoice as it was issued. */
export const Invoice = z.object({
  invoiceId: z.string(),
  orderId: z.string(),
  customerId: z.string(),
  totalAmount: z.int(),
  items: z.array(Line),
  issuedAt: z.string(),
});

/** An invoice as it was issued. */
export type Invoice = z.infer<typeof Invoice>;

/** An order has its invoice. */
export const InvoiceIssued = event("invoice.issued", { schema: Invoice, sensitive: ["customerId"] });

/** What a customer was told of a step of an order. */
export const Note = z.object({ orderId: z.string(), customerId: z.string(), step: z.enum(STATUSES), text: z.string(), at: z.string() });

/** What a customer was told of a step of an order. */
export type Note = z.infer<typeof Note>;

/** Notification tells itself to publish what it has told, a moment after it did. */
export const ReportNotes = command("notification.report", { schema: z.object({}), key: () => "notes" });

/** Customers were told of some steps. */
export const NotificationsSent = event("notification.sent", { schema: z.object({ notes: z.array(Note) }) });
