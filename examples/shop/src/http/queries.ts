import type { FastifyInstance } from "fastify";
import type { Sql } from "postrider";
import { companionsOf, invoiceOf, invoicesOf, notesOf, sumsOf } from "../services/gateway/reads.ts";
import { CustomerQuery, IdParams, read } from "./input.ts";
import { known } from "./problem.ts";

/** What the gateway knows from events: no message travels for a query. */
export function queryRoutes(app: FastifyInstance, sql: Sql): void {
  app.get("/invoices", async (request) => {
    const { customerId, limit } = read(CustomerQuery, request.query);
    return { items: await invoicesOf(sql, customerId, limit) };
  });
  app.get("/invoices/:id", async (request) => {
    const { id } = read(IdParams, request.params);
    return known(await invoiceOf(sql, id), "invoice", id);
  });
  app.get("/notifications", async (request) => {
    const { customerId, limit } = read(CustomerQuery, request.query);
    return { items: await notesOf(sql, customerId, limit) };
  });
  app.get("/analytics", () => sumsOf(sql));
  app.get("/recommendations/:id", async (request) => {
    const { id: productId } = read(IdParams, request.params);
    return { productId, boughtTogether: await companionsOf(sql, productId) };
  });
}
