import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Clock, Logger, Sql } from "postrider";
import type { HistoryEvent, HistoryTail } from "../services/gateway/history-tail.ts";
import { IdParams, read } from "./input.ts";
import { unknown } from "./problem.ts";

const EVENT_STREAM = "text/event-stream; charset=utf-8";
const HEARTBEAT_MS = 15_000;
const MAX_UNSENT_BYTES = 1024 * 1024; // a reader this far behind is cut off; it resumes where it was

/** What the stream routes need. */
export interface StreamRoutesNeeds {
  readonly tail: HistoryTail;
  readonly clock: Clock;
  readonly read: Sql;
  readonly logger: Logger;
}

/** Server-sent events of one order from its beginning, or of all from now on; `Last-Event-ID` resumes after that event. */
export function streamRoutes(app: FastifyInstance, { tail, clock, read: sql, logger }: StreamRoutesNeeds): void {
  const streams = new Set<EventStream>();
  const open = async (request: FastifyRequest, reply: FastifyReply, orderId?: string): Promise<void> => {
    if (request.method === "HEAD") return void reply.header("content-type", EVENT_STREAM).send();
    const stream = new EventStream(reply, clock, orderId);
    streams.add(stream);
    stream.onClosed(() => streams.delete(stream));
    try {
      await stream.run(tail, lastEventIdOf(request));
    } catch (error) {
      logger.warn({ err: error, correlationId: request.id }, "an event stream ended early; its reader comes again by itself");
      stream.close();
    }
  };
  app.addHook("preClose", async () => {
    for (const stream of streams) stream.close();
  });
  app.get("/orders/stream", (request, reply) => open(request, reply));
  app.get("/orders/:id/stream", async (request, reply) => {
    const { id } = read(IdParams, request.params);
    if ((await sql.get("select 1 as found from gateway_orders where order_id = ?", id)) === undefined) throw unknown("order", id);
    await open(request, reply, id);
  });
}

function lastEventIdOf(request: FastifyRequest): number | undefined {
  const given = request.headers["last-event-id"];
  return typeof given === "string" && /^\d{1,15}$/.test(given) ? Number(given) : undefined;
}

/** One reader's stream. Events that come while it catches up wait in a buffer, so that it sees each once and in order. */
class EventStream {
  readonly #raw: FastifyReply["raw"];
  readonly #clock: Clock;
  readonly #orderId: string | undefined;
  #sentId = 0;
  #waiting: HistoryEvent[] | undefined = [];

  constructor(reply: FastifyReply, clock: Clock, orderId: string | undefined) {
    const correlationId = String(reply.getHeader("x-correlation-id"));
    reply.hijack();
    this.#raw = reply.raw;
    this.#clock = clock;
    this.#orderId = orderId;
    this.#raw.writeHead(200, {
      "content-type": EVENT_STREAM,
      "cache-control": "no-store",
      "x-accel-buffering": "no",
      "x-correlation-id": correlationId,
    });
    this.#raw.write("retry: 1000\n\n");
  }

  onClosed(listener: () => void): void {
    this.#raw.once("close", listener);
  }

  close(): void {
    this.#raw.end();
  }

  async run(tail: HistoryTail, lastEventId: number | undefined): Promise<void> {
    const { since, stop } = await tail.follow((events) => this.#take(events));
    if (this.#raw.destroyed || this.#raw.writableEnded) return stop();
    this.onClosed(stop);
    this.#beat();
    const isKnown = lastEventId !== undefined && (await tail.hasReached(lastEventId));
    this.#sentId = isKnown ? lastEventId : this.#orderId === undefined ? since : 0;
    for (let page = await tail.page(this.#sentId, this.#orderId); page.length > 0; page = await tail.page(this.#sentId, this.#orderId))
      this.#write(page);
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    this.#write(waiting);
  }

  #take(events: readonly HistoryEvent[]): void {
    const mine = this.#orderId === undefined ? events : events.filter((event) => event.orderId === this.#orderId);
    if (this.#waiting === undefined) this.#write(mine);
    else this.#waiting.push(...mine);
  }

  #write(events: readonly HistoryEvent[]): void {
    let text = "";
    for (const { id, orderId, status, at } of events) {
      if (id <= this.#sentId) continue;
      this.#sentId = id;
      text += `id: ${id}\ndata: ${JSON.stringify({ orderId, status, at })}\n\n`;
    }
    if (text === "" || this.#raw.destroyed || this.#raw.writableEnded) return;
    this.#raw.write(text);
    if (this.#raw.writableLength > MAX_UNSENT_BYTES) this.#raw.destroy();
  }

  #beat(): void {
    const timer = this.#clock.after(HEARTBEAT_MS, () => {
      if (this.#raw.destroyed || this.#raw.writableEnded) return;
      this.#raw.write(": still here\n\n");
      this.#beat();
    });
    this.onClosed(() => timer.cancel());
  }
}
