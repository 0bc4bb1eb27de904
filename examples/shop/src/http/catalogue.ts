import type { FastifyInstance } from "fastify";
import type { Ids, Sender } from "postrider";
import { ChangeMember, ListItem, SignUp } from "../contracts/people.ts";
import { SetStock } from "../contracts/stock.ts";
import { allItems, allStock, itemOf, memberOf, stockOf } from "../services/gateway/reads.ts";
import { IdParams, ItemInput, MemberInput, read, SignUpInput, StockInput } from "./input.ts";
import { known } from "./problem.ts";

const OWNER_TIMEOUT_MS = 5_000;

/** Items and stock: changes answer once their owner has. */
export function catalogueRoutes(app: FastifyInstance, { sender, ids }: { readonly sender: Sender; readonly ids: Ids }): void {
  app.post("/items", async (request, reply) => {
    const { productId = ids.next(), name, price, memberId = null } = read(ItemInput, request.body);
    const item = await sender.request(
      ListItem,
      { productId, name, price, memberId },
      { timeoutMs: OWNER_TIMEOUT_MS, correlationId: request.id },
    );
    return reply
      .code(201)
      .header("location", `/items/${encodeURIComponent(productId)}`)
      .send(item);
  });
  app.get("/items", async () => ({ items: await allItems(sender.read) }));
  app.get("/items/:id", async (request) => {
    const { id } = read(IdParams, request.params);
    return known(await itemOf(sender.read, id), "item", id);
  });
  app.get("/stock", async () => ({ items: await allStock(sender.read) }));
  app.get("/stock/:id", async (request) => {
    const { id } = read(IdParams, request.params);
    return known(await stockOf(sender.read, id), "stock", id);
  });
  app.put("/stock/:id", async (request) => {
    const { id: productId } = read(IdParams, request.params);
    const { onHand } = read(StockInput, request.body);
    return await sender.request(SetStock, { productId, onHand }, { timeoutMs: OWNER_TIMEOUT_MS, correlationId: request.id });
  });
}

/** Members: changes are sent on their way. */
export function memberRoutes(app: FastifyInstance, { sender, ids }: { readonly sender: Sender; readonly ids: Ids }): void {
  app.post("/members", async (request, reply) => {
    const given = read(SignUpInput, request.body);
    const memberId = ids.next();
    await sender.send(SignUp, { memberId, ...given }, { correlationId: request.id });
    return reply.code(202).header("location", `/members/${memberId}`).send({ memberId });
  });
  app.get("/members/:id", async (request) => {
    const { id } = read(IdParams, request.params);
    return known(await memberOf(sender.read, id), "member", id);
  });
  app.put("/members/:id", async (request, reply) => {
    const { id: memberId } = read(IdParams, request.params);
    const given = read(MemberInput, request.body);
    known(await memberOf(sender.read, memberId), "member", memberId);
    await sender.send(ChangeMember, { memberId, ...given }, { correlationId: request.id });
    return reply.code(202).send({ memberId });
  });
}
