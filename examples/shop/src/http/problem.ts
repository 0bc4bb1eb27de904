import { isPostriderError } from "postrider";
import type { FastifyReply } from "fastify";

/** What a problem is sent as. */
export const PROBLEM_TYPE = "application/problem+json; charset=utf-8";

/** Something that a caller should know, as RFC 9457 has it: `title` for people, `code` for programs. */
export class Problem extends Error {
  override readonly name = "Problem";
  readonly status: number;
  readonly code: string;
  readonly issues: readonly string[];

  constructor(status: number, code: string, title: string, issues: readonly string[] = []) {
    super(title);
    this.status = status;
    this.code = code;
    this.issues = issues;
  }
}

/** The 404 of a thing. */
export const unknown = (thing: string, id: string): Problem =>
  new Problem(404, `${thing}.unknown`, `There is no ${thing.replaceAll("-", " ")} ${id}`);

/** The thing, or its 404. */
export function known<Thing>(found: Thing | undefined, thing: string, id: string): Thing {
  if (found === undefined) throw unknown(thing, id);
  return found;
}

/** Answers with a problem. */
export async function sendProblem(reply: FastifyReply, problem: Problem): Promise<FastifyReply> {
  if (problem.status === 503) void reply.header("retry-after", "1");
  return reply.code(problem.status).type(PROBLEM_TYPE).send(textOf(problem));
}

/** A problem as it travels. */
export function textOf({ status, code, message, issues }: Problem): string {
  return JSON.stringify({ type: "about:blank", title: message, status, code, ...(issues.length > 0 ? { issues } : {}) });
}

const BY_STATUS: Readonly<Record<number, readonly [code: string, title: string]>> = {
  400: ["request.invalid", "The request cannot be read"],
  404: ["route.unknown", "There is nothing at this address"],
  405: ["method.unknown", "This address does not take that method"],
  408: ["request.too-slow", "The request did not come in time"],
  413: ["body.too-large", "The body is too large"],
  414: ["request.too-long", "The address is too long"],
  415: ["body.not-json", "The body must be application/json"],
  417: ["request.unexpected", "The shop meets no expectation but 100-continue"],
  431: ["request.too-long", "The headers are too long"],
  503: ["shop.unavailable", "The shop cannot answer now; try again"],
};

/** The problem that an error amounts to. What nobody expected says nothing of its inside. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (isPostriderError(error) && (error.retryable || error.code === "PR_REPLY_FAILED")) return ofStatus(503);
  const status = typeof error === "object" && error !== null ? (error as { readonly statusCode?: unknown }).statusCode : undefined;
  return typeof status === "number" && status in BY_STATUS
    ? ofStatus(status)
    : new Problem(500, "shop.failed", "Something went wrong in the shop");
}

/** The problem of a status alone. */
export function ofStatus(status: number): Problem {
  const [code, title] = BY_STATUS[status] ?? BY_STATUS[400]!;
  return new Problem(status, code, title);
}
