import type { FastifyInstance } from "fastify";
import { isPostriderError } from "postrider";
import type { Bus, Operations } from "postrider";
import { IdParams, read } from "./input.ts";
import { Problem, unknown } from "./problem.ts";

const MOST_LETTERS = 200;

/** Dead letters: what failed for good, and handing it back. */
export function deadLetterRoutes(app: FastifyInstance, operations: Operations): void {
  app.get("/dead-letters", async () => {
    const letters = await operations.deadLetters({ list: "failed" }, { limit: MOST_LETTERS });
    return {
      items: letters.map(({ id, contract, service, code, reason, attempts, at }) => ({
        id,
        contract,
        service,
        code,
        reason,
        attempts,
        at: new Date(at).toISOString(),
      })),
    };
  });
  app.post("/dead-letters/:id/redrive", async (request, reply) => {
    const { id } = read(IdParams, request.params);
    try {
      await operations.redrive(id);
    } catch (error) {
      if (isPostriderError(error, "PR_DEAD_LETTER_UNKNOWN")) throw unknown("dead-letter", id);
      if (isPostriderError(error, "PR_DEAD_LETTER_BUSY"))
        throw new Problem(409, "dead-letter.busy", `The dead letter ${id} is being redriven`);
      throw error;
    }
    return reply.code(202).send({ id });
  });
}

/** Whether this process lives, and whether it is ready: a stuck subscription makes it red, and so does its stop. */
export function healthRoutes(app: FastifyInstance, bus: Bus, isStopping: () => boolean): void {
  app.get("/livez", () => ({ isAlive: true }));
  app.get("/readyz", async (_request, reply) => {
    const { isReady, ...health } = await bus.health();
    const isUp = isReady && !isStopping();
    if (isUp) return { isReady: true, ...health };
    const problem = { type: "about:blank", title: "The shop is not ready", status: 503, code: "shop.not-ready" };
    return reply
      .code(503)
      .type("application/problem+json; charset=utf-8")
      .send(JSON.stringify({ ...problem, isReady: false, ...health }));
  });
}
