import { createServer } from "node:http";
import type { ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { httpProvider } from "./provider-client.ts";

type Answering = (response: ServerResponse) => void;
const closing: (() => void)[] = [];
afterEach(() => closing.splice(0).forEach((close) => close()));

/** A provider that answers each call in turn by the next of `answers`, and what it was asked. */
async function providerThat(
  ...answers: readonly Answering[]
): Promise<{ readonly url: string; readonly calls: { readonly path: string; readonly key: unknown; readonly body: string }[] }> {
  const calls: { path: string; key: unknown; body: string }[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      calls.push({ path: request.url ?? "", key: request.headers["idempotency-key"], body: Buffer.concat(chunks).toString() });
      answers[calls.length - 1]?.(response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, calls };
}

const answer =
  (status: number, body: unknown): Answering =>
  (response) =>
    void response.writeHead(status).end(typeof body === "string" ? body : JSON.stringify(body));
const order = { orderId: "o-1", amount: 5_000 };
const { signal } = new AbortController();

describe("the payment provider", () => {
  test("is asked for an order's money with the same key and body each time", async () => {
    const { url, calls } = await providerThat(answer(503, {}), answer(201, { chargeId: "ch-1", status: "captured" }));
    const provider = httpProvider(url);
    await expect(provider.charge(order, signal)).rejects.toMatchObject({ code: "payment.unavailable" });
    expect(await provider.charge(order, signal)).toEqual({ outcome: "captured", chargeId: "ch-1" });
    expect(calls[0]).toEqual({ path: "/charges", key: "charge-o-1", body: '{"orderId":"o-1","amount":5000,"currency":"KRW"}' });
    expect(calls[1]).toEqual(calls[0]);
  });

  test("may decline a card: that is an outcome", async () => {
    const { url } = await providerThat(answer(402, { code: "card_declined" }));
    expect(await httpProvider(url).charge(order, signal)).toEqual({ outcome: "declined" });
  });

  test.each<[string, Answering]>([
    ["is too busy", answer(429, {})],
    ["is down", answer(503, {})],
    ["answers rubbish", answer(200, "<html>gateway timeout</html>")],
    ["answers half of what it should", answer(201, { status: "captured" })],
    ["hangs up", (response) => response.destroy()],
    ["hangs up in its answer", (response) => response.writeHead(201, { "content-length": "100" }).write("{", () => response.destroy())],
  ])("that %s can be asked again", async (_what, answering) => {
    const { url } = await providerThat(answering, answering);
    await expect(httpProvider(url).charge(order, signal)).rejects.toMatchObject({ code: "payment.unavailable" });
    await expect(httpProvider(url).refund({ ...order, chargeId: "ch-1" }, signal)).rejects.toMatchObject({ code: "payment.unavailable" });
  });

  test("that refuses our call is not asked again, and says why", async () => {
    const { url } = await providerThat(answer(400, { code: "merchant_not_configured" }));
    await expect(httpProvider(url).charge(order, signal)).rejects.toMatchObject({
      code: "payment.rejected",
      message: "the payment provider refused /charges with 400 (merchant_not_configured)",
    });
  });

  test("is left alone when we stop, which is no failure of its own", async () => {
    const { url } = await providerThat(() => stopping.abort(new Error("stopping")));
    const stopping = new AbortController();
    await expect(httpProvider(url).charge(order, stopping.signal)).rejects.toThrow("stopping");
  });
});
