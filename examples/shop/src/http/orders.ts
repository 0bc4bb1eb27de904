import type { FastifyInstance } from "fastify";
import { isPostriderError } from "postrider";
import type { Clock, Ids, Logger, Sender } from "postrider";
import { CancelOrder } from "../contracts/order.ts";
import { urgencyOf } from "../contracts/shapes.ts";
import { OrderDesk } from "../services/gateway/order-desk.ts";
import { Pace } from "../services/gateway/pace.ts";
import type { Placing } from "../services/gateway/place.ts";
import { orderOf, ordersOf, pendingOf, MOST_ROWS } from "../services/gateway/reads.ts";
import { IdempotencyKey, IdParams, OrderInput, OrdersQuery, read } from "./input.ts";
import { known, Problem } from "./problem.ts";

const NEWEST_OF_ALL = 50;
const CANCEL_TIMEOUT_MS = 4_500; // more than a lease and a start: after a crash the answer comes from whoever takes the lane over

/** What the order routes need. */
export interface OrderRoutesNeeds {
  readonly sender: Sender;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly logger: Logger;
  /** Whether orders are held up at the door while more are on their way than are served soon. */
  readonly keepsPace: boolean;
}

/** Placing, showing and cancelling orders. */
export function orderRoutes(app: FastifyInstance, needs: OrderRoutesNeeds): void {
  const { sender } = needs;
  const desk = new OrderDesk(needs);
  const pace = needs.keepsPace ? paceOf(app, needs) : undefined;
  app.post("/orders", async (request, reply) => {
    const { customerId, items } = read(OrderInput, request.body);
    const idempotencyKey = read(IdempotencyKey, request.headers["idempotency-key"], "Idempotency-Key");
    const place = (): Promise<Placing> => desk.place({ customerId, items: merged(items), idempotencyKey, correlationId: request.id });
    const placing = await (pace === undefined ? place() : pace.keep(place));
    const { orderId, status } = accepted(placing);
    return reply.code(202).header("location", `/orders/${orderId}`).send({ orderId, status });
  });
  app.get("/orders", async (request) => {
    const { customerId, limit } = read(OrdersQuery, request.query);
    return { items: await ordersOf(sender.read, customerId, limit ?? (customerId === undefined ? NEWEST_OF_ALL : MOST_ROWS)) };
  });
  app.get("/orders/:id", async (request) => {
    const { id } = read(IdParams, request.params);
    return known(await orderOf(sender.read, id), "order", id);
  });
  app.post("/orders/:id/cancel", async (request, reply) => {
    const { id } = read(IdParams, request.params);
    const order = known(await orderOf(sender.read, id), "order", id);
    const { outcome } = await askOrdering(sender, order, request.id);
    if (outcome === "tooLate") throw new Problem(409, "order.too-late", `Order ${id} has left or has ended`);
    return reply.code(202).send({ orderId: id, status: order.status });
  });
}

function paceOf(app: FastifyInstance, { sender, clock, logger }: OrderRoutesNeeds): Pace {
  const pace = new Pace({
    clock,
    pendingOf: (orderIds) => pendingOf(sender.read, orderIds),
    onError: (error) => logger.warn({ err: error }, "how far orders are could not be read"),
  });
  app.addHook("preClose", async () => pace.letAllIn());
  return pace;
}

async function askOrdering(
  sender: Sender,
  order: { readonly orderId: string; readonly totalAmount: number },
  correlationId: string,
): Promise<{ readonly outcome: "accepted" | "tooLate" }> {
  try {
    return await sender.request(
      CancelOrder,
      { orderId: order.orderId },
      { timeoutMs: CANCEL_TIMEOUT_MS, correlationId, priority: urgencyOf(order) },
    );
  } catch (error) {
    if (isPostriderError(error, "PR_REQUEST_TIMEOUT"))
      throw new Problem(503, "ordering.silent", "Ordering did not answer in time; look at the order, and try again");
    throw error;
  }
}

function accepted(placing: Placing): Extract<Placing, { readonly orderId: string }> {
  switch (placing.outcome) {
    case "accepted":
    case "repeated":
      return placing;
    case "otherBody":
      throw new Problem(422, "idempotency-key.reused", "This Idempotency-Key was used for another order");
    case "tooMuch":
      throw new Problem(400, "order.too-much", "The total of this order is more than this shop takes");
    case "unknownProduct":
      throw new Problem(400, "product.unknown", "A product of this order cannot be ordered", [
        `items: there is no product ${placing.productId}`,
      ]);
  }
}

/** One line per product, in the order of their first naming. */
function merged(items: readonly { readonly productId: string; readonly quantity: number }[]): { productId: string; quantity: number }[] {
  const sums = new Map<string, number>();
  for (const { productId, quantity } of items) sums.set(productId, (sums.get(productId) ?? 0) + quantity);
  return [...sums].map(([productId, quantity]) => ({ productId, quantity }));
}
