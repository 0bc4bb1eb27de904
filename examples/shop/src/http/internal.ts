import type { FastifyInstance } from "fastify";
import type { Sql } from "postrider";
import { fullName } from "../contracts/people.ts";
import { findMember } from "../services/member/store.ts";
import { IdParams, read } from "./input.ts";
import { known } from "./problem.ts";

/** What other services ask the member service. */
export function internalMemberRoutes(app: FastifyInstance, sql: Sql): void {
  app.get("/internal/members/:id", async (request) => {
    const { id } = read(IdParams, request.params);
    const member = known(await findMember(sql, id), "member", id);
    return { memberId: id, name: fullName(member) };
  });
}
