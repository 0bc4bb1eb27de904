import { service } from "postrider";
import { RecommendationChanged, SumsReported } from "../../contracts/insight.ts";
import { OrderCancelled, OrderDelivered, OrderPaid, OrderPlaced, OrderReserved, OrderShipped } from "../../contracts/order.ts";
import { InvoiceIssued, NotificationsSent } from "../../contracts/papers.ts";
import { ItemListed, MemberContactChanged, MemberUpdated } from "../../contracts/people.ts";
import { StockChanged } from "../../contracts/stock.ts";
import { SOON } from "../../part.ts";
import type { Part } from "../../part.ts";
import { keepAddress, keepInvoice, keepItem, keepName, keepNotes, keepRecommendation, keepStep, keepStock, keepSums } from "./models.ts";
import { TABLES } from "./tables.ts";

/** Gateway: what the world sees. Its read models are fed by everybody's events; `onHistory` hears that an order's history is about to grow. */
export function gateway(onHistory: () => void): Part {
  const definition = service(
    "gateway",
    (on) => {
      for (const change of [OrderPlaced, OrderReserved, OrderPaid, OrderShipped, OrderDelivered, OrderCancelled]) {
        on(change, async (body, { tx }) => {
          await keepStep(tx, body);
          onHistory();
        });
      }
      on(StockChanged, (level, { tx }) => keepStock(tx, level));
      on(InvoiceIssued, (invoice, { tx }) => keepInvoice(tx, invoice));
      on(NotificationsSent, ({ notes }, { tx }) => keepNotes(tx, notes));
      on(SumsReported, (sums, { tx }) => keepSums(tx, sums));
      on(RecommendationChanged, (change, { tx }) => keepRecommendation(tx, change));
      on(MemberUpdated, (member, { tx }) => keepName(tx, member));
      on(MemberContactChanged, (contact, { tx }) => keepAddress(tx, contact));
      on(ItemListed, (item, { tx }) => keepItem(tx, item));
    },
    { retry: SOON },
  );
  return { service: definition, tables: TABLES };
}
