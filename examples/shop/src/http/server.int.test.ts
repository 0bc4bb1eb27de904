import { connect } from "node:net";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { call, startProcess } from "../testing/shop-process.ts";
import type { ShopProcess } from "../testing/shop-process.ts";

const data = mkdtempSync(join(tmpdir(), "shop-http-"));
let shop: ShopProcess;

beforeAll(async () => {
  shop = await startProcess({ SHOP_DATA: data });
});
afterAll(async () => {
  await shop.end("SIGKILL");
  rmSync(data, { recursive: true, force: true });
});

/** What the shop says to bytes as they are, until it closes the connection. */
function say(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(shop.url).port), "127.0.0.1", () => socket.write(text));
    let answer = "";
    socket.on("data", (chunk) => (answer += String(chunk)));
    socket.on("end", () => resolve(answer));
    socket.on("error", reject);
  });
}

test.each<[what: string, bytes: string, status: number, code: string]>([
  ["no HTTP", "NONSENSE\r\n\r\n", 400, "request.invalid"],
  ["a broken header", "GET /livez HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", 400, "request.invalid"],
  ["two lengths", "POST /orders HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400, "request.invalid"],
  ["headers without end", `GET / HTTP/1.1\r\nHost: x\r\nX: ${"y".repeat(20_000)}\r\n\r\n`, 431, "request.too-long"],
  ["no host", "GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n", 400, "request.invalid"],
  ["what nobody expects", "GET /livez HTTP/1.1\r\nHost: x\r\nExpect: miracles\r\n\r\n", 417, "request.unexpected"],
])("%s is answered with a problem", async (_, bytes, status, code) => {
  const answer = await say(bytes);
  expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} [^]*\r\ncontent-type: application/problem\\+json`));
  expect(JSON.parse(answer.slice(answer.indexOf("\r\n\r\n") + 4))).toMatchObject({ status, code, title: expect.any(String) as string });
});

test("a HEAD of a stream ends at once", async () => {
  const answer = await say("HEAD /orders/stream HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  expect(answer).toMatch(/^HTTP\/1.1 200 .*content-type: text\/event-stream/s);
});

test.each<[method: string, path: string, allow: string]>([
  ["DELETE", "/orders", "GET, HEAD, POST"],
  ["PUT", "/orders/o-1?x=1", "GET, HEAD"],
  ["GET", "/orders/o-1/cancel", "POST"],
  ["PATCH", "/items/cup", "GET, HEAD"],
  ["POST", "/stock/cup", "GET, HEAD, PUT"],
  ["POST", "/", "GET, HEAD"],
])("%s of %s is answered with what the address takes", async (method, path, allow) => {
  const headers = { "content-type": "text/plain" };
  const response = await fetch(new URL(path, shop.url), { method, headers, ...(method === "GET" ? {} : { body: "x" }) });
  expect([response.status, response.headers.get("allow"), await response.json()]).toMatchObject([405, allow, { code: "method.unknown" }]);
  expect(response.headers.get("content-type")).toMatch("application/problem+json");
});

test("an address that is none has no methods", async () => {
  const response = await fetch(new URL("/orders/o-1/nothing", shop.url), { method: "POST" });
  expect([response.status, response.headers.get("allow")]).toEqual([404, null]);
});

test.each(["..", ".", "a/b", "a b", "a%2Fb", "컵", "x".repeat(65), ""])("an item whose id is %j is refused", async (productId) => {
  expect(await call(shop.url, "POST", "/items", { productId, name: "cup", price: 5000 })).toMatchObject({
    status: 400,
    json: { issues: [expect.stringMatching(/^productId: must be 1 to 64 letters/)] },
  });
});

const ORDER = { customerId: "c", items: [{ productId: "cup", quantity: 1 }] };

test("a key that is none is called by its name", async () => {
  const headers = { "content-type": "application/json", "idempotency-key": "two words" };
  const response = await fetch(new URL("/orders", shop.url), { method: "POST", headers, body: JSON.stringify(ORDER) });
  expect([response.status, await response.json()]).toMatchObject([400, { issues: [expect.stringMatching(/^Idempotency-Key: /)] }]);
});

test("a reader who comes with an id of another history hears what is new", async () => {
  await call(shop.url, "POST", "/items", { productId: "cup", name: "cup", price: 5000 });
  const response = await fetch(new URL("/orders/stream", shop.url), { headers: { "last-event-id": "999999999999999" } });
  let heard = "";
  const hearing = (async () => {
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) if ((heard += chunk).includes("data: ")) return;
  })();
  while (!heard.includes("data: ")) await call(shop.url, "POST", "/orders", ORDER);
  await hearing;
  expect(heard).toMatch(/id: \d+\ndata: \{"orderId"/);
});
