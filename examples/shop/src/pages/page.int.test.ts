import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import type { Browser } from "playwright-core";
import { afterEach, expect, test } from "vitest";
import { call, startProcess } from "../testing/shop-process.ts";

const BROWSERS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const executablePath = process.env["POSTRIDER_TEST_BROWSER"] ?? BROWSERS.find((path) => existsSync(path));
// No page of this test needs anything from outside, and a browser that looks for it would only be refused.
const QUIET = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

async function openShop(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "shop-page-"));
  closing.push(() => rmSync(folder, { recursive: true, force: true }));
  const shop = await startProcess({ SHOP_DATA: folder });
  closing.push(() => shop.end("SIGKILL"));
  await call(shop.url, "POST", "/items", { productId: "mouse", name: "마우스 · Mouse", price: 39_000 });
  await call(shop.url, "PUT", "/stock/mouse", { onHand: 1_234_567 });
  return shop.url;
}

async function openBrowser(): Promise<Browser> {
  const browser = await chromium.launch({ executablePath: executablePath!, args: QUIET });
  closing.push(() => browser.close());
  return browser;
}

const isSkipped = executablePath === undefined && process.env["CI"] !== "true";

const reason = isSkipped ? " (skipped: no Chromium here; set POSTRIDER_TEST_BROWSER)" : "";

// Outside CI a machine without a browser skips this and says so; in CI it fails.
test.skipIf(isSkipped)(`in a browser an order is placed, seen to move to its delivery, and told in both languages${reason}`, async () => {
  expect(executablePath, "CI needs a Chromium; .ci/run installs Debian's").toBeDefined();
  const url = await openShop();
  const page = await (await openBrowser()).newPage({ locale: "ko-KR", viewport: { width: 1280, height: 800 } });
  const mistakes: string[] = [];
  page.on("pageerror", (error) => mistakes.push(error.message));
  page.on("console", (message) => message.type() === "error" && mistakes.push(message.text()));
  await page.goto(url);
  await page.locator(".product .facts", { hasText: "1,234,567" }).waitFor();
  await page.locator("#view small", { hasText: "1,234,567" }).waitFor();
  await page.locator(".product button").first().click();
  await page.locator("#order").click();
  await page.locator(".order.is-delivered").first().waitFor();
  expect(await page.locator(".order.is-delivered .chip").first().textContent()).toContain("배송 완료");
  await page.locator('[data-language="en"]').click();
  expect(await page.locator(".order.is-delivered .chip").first().textContent()).toContain("elivered");
  await page.locator("#tab-notifications").click();
  await page.locator("#view .row").nth(3).waitFor();
  expect(mistakes).toEqual([]);
});
