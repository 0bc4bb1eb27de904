import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Ids, Random } from "postrider";
import { z } from "zod";
import { ProviderBooks } from "./books.ts";
import type { ProviderAnswer } from "./books.ts";

/** A payment provider that runs. */
export interface LocalProvider {
  readonly url: string;
  stop(): Promise<void>;
}

/** What the local provider needs. */
export interface LocalProviderOptions {
  /** Where its books are. */
  readonly file: string;
  readonly ids: Ids;
  readonly random: Random;
  /** Share of calls that fail: before or after the money moved, by an error or a dropped connection. 0 … 1. */
  readonly chaos: number;
}

const MAX_BODY_BYTES = 10_000;
const DECLINED_ENDING = 402;
const MISTAKEN_ENDING = 777;

const Charge = z.object({ orderId: z.string().min(1), amount: z.int().positive(), currency: z.literal("KRW") });
const Refund = z.object({ chargeId: z.string().min(1), amount: z.int().positive() });

/**
 * A card payment provider for demonstrations, as an HTTP server of its own.
 *
 * An amount that ends in 402 is declined; one that ends in 777 is refused with 400 at the first call, as if the shop's contract with the provider were
 * missing, and taken from the second on, as if somebody had mended that. The rest is captured.
 */
export async function startLocalProvider(options: LocalProviderOptions): Promise<LocalProvider> {
  const books = new ProviderBooks(options.file);
  const server = createServer((request, response) => void serve(request, response, books, options));
  await new Promise<void>((resolve, reject) => void server.once("error", reject).listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      books.close();
    },
  };
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  books: ProviderBooks,
  { ids, random, chaos }: LocalProviderOptions,
): Promise<void> {
  try {
    const body = await readBody(request);
    const fault = random.next() < chaos ? Math.floor(random.next() * 4) : undefined;
    if (fault === 0) return answerWith(response, { status: 503, body: { code: "unavailable" } });
    if (fault === 1) return void response.destroy();
    const answer = handle(request, body, books, ids);
    if (fault === 2) return answerWith(response, { status: 503, body: { code: "unavailable" } });
    if (fault === 3) return void response.destroy();
    answerWith(response, answer);
  } catch {
    answerWith(response, { status: 500, body: { code: "failed" } });
  }
}

function handle(request: IncomingMessage, body: string, books: ProviderBooks, ids: Ids): ProviderAnswer {
  const path = request.url ?? "";
  const key = request.headers["idempotency-key"];
  if (request.method !== "POST" || (path !== "/charges" && path !== "/refunds")) return { status: 404, body: { code: "not_found" } };
  if (typeof key !== "string" || key === "") return { status: 400, body: { code: "idempotency_key_required" } };
  const fullKey = `${path} ${key}`;
  return books.once(fullKey, body, () => (path === "/charges" ? charge(body, fullKey, books, ids) : refund(body, books, ids)));
}

function charge(body: string, key: string, books: ProviderBooks, ids: Ids): ProviderAnswer {
  const read = Charge.safeParse(parse(body));
  if (!read.success) return { status: 400, body: { code: "bad_request" } };
  const { orderId, amount } = read.data;
  if (amount % 1000 === MISTAKEN_ENDING && books.refuseFirst(key)) return { status: 400, body: { code: "merchant_not_configured" } };
  if (amount % 1000 === DECLINED_ENDING) return { status: 402, body: { code: "card_declined" } };
  const chargeId = `ch_${ids.next()}`;
  books.charge(chargeId, orderId, amount);
  return { status: 201, body: { chargeId, status: "captured" } };
}

function refund(body: string, books: ProviderBooks, ids: Ids): ProviderAnswer {
  const read = Refund.safeParse(parse(body));
  if (!read.success || !books.refund(read.data.chargeId, read.data.amount)) return { status: 409, body: { code: "bad_refund" } };
  return { status: 201, body: { refundId: `re_${ids.next()}`, status: "refunded" } };
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes > MAX_BODY_BYTES) throw new RangeError("the body is too large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function answerWith(response: ServerResponse, { status, body }: ProviderAnswer): void {
  if (response.destroyed || response.headersSent) return;
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
