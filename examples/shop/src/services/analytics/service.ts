import { service } from "postrider";
import type { HandlerContext, Sql } from "postrider";
import { ReportSums, SumsReported, VipSpotted } from "../../contracts/insight.ts";
import type { Sums } from "../../contracts/insight.ts";
import { OrderCancelled, OrderDelivered, OrderPaid, OrderPlaced, OrderReserved, OrderShipped } from "../../contracts/order.ts";
import type { OrderChange } from "../../contracts/order.ts";
import { PaymentCaptured, PaymentDeclined, PaymentRefunded } from "../../contracts/payment.ts";
import { STATUSES, VIP_FROM_WON } from "../../contracts/shapes.ts";
import type { Status } from "../../contracts/shapes.ts";
import { changed, feedTable, telling } from "../../feed.ts";
import { SOON } from "../../part.ts";
import type { Part } from "../../part.ts";

const FEED = { table: "analytics_tellings", tell: ReportSums, body: {}, delayMs: 200 };
const TABLES: readonly string[] = [
  "create table if not exists analytics_sums (name varchar(255) primary key, value bigint not null)",
  feedTable(FEED.table),
];

type Context = Pick<HandlerContext, "tx" | "schedule">;

/** Analytics: counts orders, their states and their money. Each change counts once, in the unit of work that takes its event. */
export function analytics(): Part {
  const follow = async ({ from, status }: OrderChange, context: Context): Promise<void> => {
    const left = { name: from ?? "orders", value: from === null ? 1 : -1 };
    await Promise.all([changed(FEED, context), add(context.tx, left, { name: status, value: 1 })]);
  };
  const sum = async (name: string, value: number, context: Context): Promise<void> =>
    void (await Promise.all([changed(FEED, context), add(context.tx, { name, value })]));
  const definition = service(
    "analytics",
    (on) => {
      for (const step of [OrderPlaced, OrderReserved, OrderPaid, OrderShipped, OrderDelivered, OrderCancelled]) on(step, follow);
      on(PaymentCaptured, ({ amount }, context) => sum("revenue", amount, context));
      on(PaymentRefunded, ({ amount }, context) => sum("revenue", -amount, context));
      on(PaymentDeclined, (_declined, context) => sum("failedPayments", 1, context));
      on(VipSpotted, (_order, context) => sum("vipOrders", 1, context));
      on(ReportSums, async (_body, context) => {
        await telling(FEED, context);
        context.publish(SumsReported, toSums(await context.tx.all<Row>("select name, value from analytics_sums")));
      });
    },
    { retry: SOON },
  );
  return { service: definition, tables: TABLES };
}

/** The desk for big orders: gets no others, by content, and gets them first. */
export function vip(): Part {
  const definition = service(
    "vip",
    (on) => {
      on(OrderPlaced, ({ orderId, totalAmount }, { publish }) => void publish(VipSpotted, { orderId, totalAmount }), {
        where: { totalAmount: { gte: VIP_FROM_WON } },
      });
    },
    { retry: SOON },
  );
  return { service: definition, tables: [] };
}

interface Row {
  readonly name: string;
  readonly value: number;
}

const ADD = [1, 2].map(
  (count) => `insert into analytics_sums (name, value) values ${Array.from({ length: count }, () => "(?, ?)").join(", ")}
     on conflict (name) do update set value = analytics_sums.value + excluded.value`,
);

/** Adds to one sum, or to two at once: by name, so that no two units of work wait for each other's. */
async function add(tx: Sql, ...rows: [Row] | [Row, Row]): Promise<void> {
  const inOrder = rows.toSorted((one, other) => (one.name < other.name ? -1 : 1));
  await tx.run(ADD[rows.length - 1]!, ...inOrder.flatMap(({ name, value }) => [name, value]));
}

function toSums(rows: readonly Row[]): Sums {
  const of = (name: string): number => rows.find((row) => row.name === name)?.value ?? 0;
  const byStatus = Object.fromEntries(STATUSES.map((status) => [status, of(status)])) as Record<Status, number>;
  return {
    totalOrders: of("orders"),
    totalRevenue: of("revenue"),
    failedPayments: of("failedPayments"),
    byStatus,
    vipOrders: of("vipOrders"),
  };
}
