import { STATUS_CODES } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import fastify from "fastify";
import type { FastifyInstance } from "fastify";
import type { Ids, Logger } from "postrider";
import { Addresses } from "./addresses.ts";
import { ofStatus, Problem, PROBLEM_TYPE, problemOf, sendProblem, textOf } from "./problem.ts";

const MAX_BODY_BYTES = 1024 * 1024;
const REQUEST_TIMEOUT_MS = 30_000; // a body that comes byte by byte must not keep a connection for ever
const CORRELATION_ID = /^[\x21-\x7e]{1,200}$/;

/** An HTTP server that speaks JSON, answers every error as a problem, and carries a correlation id through. */
export function httpServer({ ids, logger }: { readonly ids: Ids; readonly logger: Logger }): FastifyInstance {
  const app = fastify({
    bodyLimit: MAX_BODY_BYTES,
    routerOptions: { maxParamLength: 500 },
    forceCloseConnections: "idle",
    requestTimeout: REQUEST_TIMEOUT_MS,
    clientErrorHandler: answerUnreadable,
    http: { requireHostHeader: false }, // Node would answer by itself, and with nothing in it
    genReqId(request) {
      const given = request.headers["x-correlation-id"];
      return typeof given === "string" && CORRELATION_ID.test(given) ? given : ids.next();
    },
    frameworkErrors: (error, request, reply) => void sendProblem(reply.header("x-correlation-id", request.id), problemOf(error)),
  });
  readJson(app);
  const addresses = new Addresses(app);
  app.server.on("checkExpectation", answerUnexpected);
  app.addHook("onRequest", async (request, reply) => {
    void reply.header("x-correlation-id", request.id);
    if (request.raw.headers.host === undefined && request.raw.httpVersion === "1.1") throw ofStatus(400);
    const methods = request.is404 ? addresses.methodsOf(request.url) : [];
    if (methods.length > 0) {
      void reply.header("allow", methods.join(", "));
      throw ofStatus(405);
    }
    const site = request.headers["sec-fetch-site"];
    const isForeign = site !== undefined && site !== "same-origin" && site !== "none";
    // The shop has no log-in: a page of somebody else must not order, cancel or redrive through its visitor's browser.
    if (isForeign && request.method !== "GET" && request.method !== "HEAD")
      throw new Problem(403, "request.foreign", "This call must come from the shop's own page");
  });
  app.setNotFoundHandler((_request, reply) => sendProblem(reply, ofStatus(404)));
  app.setErrorHandler((error, request, reply) => {
    const problem = problemOf(error);
    if (problem.status >= 500)
      logger.error({ err: error, correlationId: request.id, method: request.method, route: request.routeOptions.url }, "a request failed");
    return sendProblem(reply, problem);
  });
  return app;
}

/** JSON only; an empty body is one that is absent. */
function readJson(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser("error", "error");
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", { parseAs: "string" }, (request, body, done) => {
    if (body === "") done(null, undefined);
    else void parse(request, body as string, done); // answers by `done`
  });
}

/** What is no HTTP, or too much of it, never becomes a request: it is answered on the bare connection. */
function answerUnreadable(error: { readonly code?: string | undefined }, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) return void socket.destroy();
  const problem = ofStatus(STATUS_OF[error.code ?? ""] ?? 400);
  const { status } = problem;
  const body = textOf(problem);
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: ${PROBLEM_TYPE}`;
  socket.end(`${head}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`);
}

/** `Expect` with something else than `100-continue` becomes no request either. */
function answerUnexpected(_request: IncomingMessage, response: ServerResponse): void {
  const body = textOf(ofStatus(417));
  response.writeHead(417, { "content-type": PROBLEM_TYPE, "content-length": Buffer.byteLength(body), connection: "close" }).end(body);
}

const STATUS_OF: Readonly<Record<string, number>> = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 };
