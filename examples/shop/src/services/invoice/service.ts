import { service } from "postrider";
import { CreateInvoice, InvoiceIssued } from "../../contracts/papers.ts";
import { SOON } from "../../part.ts";
import type { Part } from "../../part.ts";

const TABLES: readonly string[] = [
  "create table if not exists invoice_counter (name varchar(255) primary key, value bigint not null)",
  "create table if not exists invoice_invoices (order_id varchar(255) primary key, invoice_id varchar(255) not null unique, body text not null)",
  "insert into invoice_counter (name, value) values ('invoice', 0) on conflict do nothing",
];

/** Invoice: one per order, numbered without gaps (the number is taken in the unit of work that writes the invoice). */
export function invoice(): Part {
  const definition = service(
    "invoice",
    (on) => {
      on(CreateInvoice, async (order, { tx, publish, clock }) => {
        const known = await tx.get("select 1 as found from invoice_invoices where order_id = ?", order.orderId);
        if (known !== undefined) return;
        await tx.run("update invoice_counter set value = value + 1 where name = 'invoice'");
        const counter = await tx.get<{ readonly value: number }>("select value from invoice_counter where name = 'invoice'");
        const issued = {
          invoiceId: `INV-${String(counter?.value).padStart(8, "0")}`,
          ...order,
          issuedAt: new Date(clock.now()).toISOString(),
        };
        await tx.run(
          "insert into invoice_invoices (order_id, invoice_id, body) values (?, ?, ?)",
          order.orderId,
          issued.invoiceId,
          JSON.stringify(issued),
        );
        publish(InvoiceIssued, issued);
      });
    },
    { retry: SOON },
  );
  return { service: definition, tables: TABLES };
}
