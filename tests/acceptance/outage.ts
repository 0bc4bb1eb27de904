// The shop on brokers of its own, one of which is away for a while, frozen or killed, while orders come at a steady pace.
//
//   node --conditions=@postrider/source tests/acceptance/outage.ts [--seconds 40] [--rate 5] [--only rabbitmq,kafka,postgres] [--ways freeze,kill]
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { call, startProcess } from "../../examples/shop/src/testing/shop-process.ts";
import type { ShopProcess } from "../../examples/shop/src/testing/shop-process.ts";
import type { BrokerKind } from "../brokers/kinds.ts";
import { ownBroker } from "../brokers/own.ts";
import type { OwnBroker } from "../brokers/own.ts";

type Way = "freeze" | "kill";

interface Step {
  readonly orderId: string;
  readonly status: string;
  readonly atMs: number;
}

interface Post {
  readonly orderId: string | undefined;
  readonly answer: string;
  readonly tookMs: number;
}

const GROUPS = ["gateway", "ordering,payment", "inventory,shipping", "invoice,notification,analytics,recommendation,member,item"];
const STORE = "postgres"; // without it nothing can be accepted: then an answer that says to try again is right
const PRODUCT = "outage-book";
const HISTORY = "pending reserved paid shipped delivered";
const WARM_UP_MS = 10_000;
const AFTER_MS = 10_000;
const POST_LIMIT_MS = 90_000;
const SETTLE_LIMIT_MS = 120_000;
const FIRST_LIMIT_MS = 6000; // issue 4, bar 6
const GROWTH_LIMIT_MIB = 64; // of one process: less than what it would keep if orders of a longer absence stayed in memory

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "40" },
    rate: { type: "string", default: "5" },
    only: { type: "string", default: "rabbitmq,kafka,postgres" },
    ways: { type: "string", default: "freeze,kill" },
  },
});

async function outages(): Promise<boolean> {
  await using stack = new AsyncDisposableStack();
  const kinds = ["rabbitmq", "kafka", "postgres"] as const;
  const brokers = new Map<BrokerKind, OwnBroker>();
  await Promise.all(kinds.map(async (kind) => brokers.set(kind, stack.use(await ownBroker(kind)))));
  const [commands, events, store] = kinds.map((kind) => brokers.get(kind)!.url) as [string, string, string];
  const shop: ShopProcess[] = [];
  stack.defer(async () => void (await Promise.all(shop.map((one) => one.end("SIGTERM")))));
  for (const services of GROUPS)
    shop.push(await startProcess({ SHOP_SERVICES: services, SHOP_COMMANDS: commands, SHOP_EVENTS: events, SHOP_STORE: store }));
  await stocked(shop[0]!.url);
  await Promise.all([...brokers.values()].map((broker) => broker.settled()));
  let isWell = true;
  for (const way of values.ways.split(",") as Way[])
    for (const kind of values.only.split(",") as BrokerKind[]) isWell = (await outage(shop, brokers.get(kind)!, kind, way)) && isWell;
  return isWell;
}

/** One absence. Prints what came of it; false where something did not hold. */
async function outage(shop: readonly ShopProcess[], broker: OwnBroker, kind: BrokerKind, way: Way): Promise<boolean> {
  const [{ url }] = shop as [ShopProcess];
  const steps = new Steps(url);
  const sender = new Sender(url, Number(values.rate));
  await sleep(WARM_UP_MS);
  const before = await residentMib(shop);
  await (way === "freeze" ? broker.freeze() : broker.kill());
  await sleep(Number(values.seconds) * 1000);
  const during = await residentMib(shop);
  await (way === "freeze" ? broker.thaw() : broker.start());
  const backMs = performance.now();
  await sleep(AFTER_MS);
  const posts = await sender.stop();
  const open = await unfinished(url, posts);
  const allMs = performance.now();
  steps.stop();
  const after = await residentMib(shop);
  const first = steps.seen.find(({ status, atMs }) => status !== "pending" && atMs > backMs);
  const refused = posts.filter(({ orderId }) => orderId === undefined);
  const firstMs = first === undefined ? Infinity : first.atMs - backMs;
  const growth = Math.max(...during.map((mib, at) => mib - before[at]!));
  const slowest = Math.max(...posts.map(({ tookMs }) => tookMs));
  const mistakes = [
    ...(refused.every(({ answer }) => kind === STORE && answer.startsWith("503 ")) ? [] : [refusal(refused)]),
    ...(firstMs <= FIRST_LIMIT_MS ? [] : ["the first message came late"]),
    ...open.slice(0, 5),
    ...(growth <= GROWTH_LIMIT_MIB ? [] : ["memory grew"]),
  ];
  console.log(
    [
      `${kind}, ${way === "freeze" ? "frozen" : "killed"} for ${values.seconds} s:`,
      `${posts.length} orders, ${refused.length} refused, the slowest answered in ${Math.round(slowest)} ms;`,
      `first message ${Math.round(firstMs)} ms after it answered, all delivered by ${Math.round((allMs - backMs) / 1000)} s;`,
      `MiB ${before.join("+")} before, ${during.join("+")} at its end, ${after.join("+")} after`,
      ...mistakes.map((mistake) => `\n  NOT WELL: ${mistake}`),
    ].join(" "),
  );
  return mistakes.length === 0;
}

function refusal(refused: readonly Post[]): string {
  const quickest = Math.min(...refused.map(({ tookMs }) => tookMs));
  return `${refused.length} orders refused, the first after ${Math.round(quickest)} ms: ${refused[0]!.answer}`;
}

async function stocked(url: string): Promise<void> {
  await call(url, "POST", "/items", { productId: PRODUCT, name: "Book of Outages", price: 27_000 });
  const deadlineMs = performance.now() + SETTLE_LIMIT_MS;
  while ((await call(url, "PUT", `/stock/${PRODUCT}`, { onHand: 1_000_000 })).status !== 200) {
    if (performance.now() > deadlineMs) throw new Error("the shop took no stock");
    await sleep(200);
  }
  const body = { customerId: "outage", items: [{ productId: PRODUCT, quantity: 1 }] };
  while ((await call(url, "POST", "/orders", body)).status !== 202) {
    if (performance.now() > deadlineMs) throw new Error("the shop took no order");
    await sleep(200);
  }
}

/** Places orders at a steady pace, whatever becomes of those before. */
class Sender {
  readonly #posts: Promise<Post>[] = [];
  readonly #url: string;
  readonly #timer: NodeJS.Timeout;

  constructor(url: string, perSecond: number) {
    this.#url = url;
    this.#timer = setInterval(() => this.#posts.push(this.#post()), 1000 / perSecond);
  }

  stop(): Promise<readonly Post[]> {
    clearInterval(this.#timer);
    return Promise.all(this.#posts);
  }

  async #post(): Promise<Post> {
    const startedMs = performance.now();
    const customerId = `outage-${this.#posts.length % 10}`;
    try {
      const response = await fetch(new URL("/orders", this.#url), {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ customerId, items: [{ productId: PRODUCT, quantity: 1 }] }),
        signal: AbortSignal.timeout(POST_LIMIT_MS),
      });
      const text = await response.text();
      const orderId = response.status === 202 ? (JSON.parse(text) as { readonly orderId: string }).orderId : undefined;
      return { orderId, answer: `${response.status} ${text}`, tookMs: performance.now() - startedMs };
    } catch (error) {
      return { orderId: undefined, answer: String(error), tookMs: performance.now() - startedMs };
    }
  }
}

/** Listens to every step that the gateway hears of. */
class Steps {
  readonly seen: Step[] = [];
  readonly #abort = new AbortController();

  constructor(url: string) {
    void this.#listen(url);
  }

  stop(): void {
    this.#abort.abort();
  }

  async #listen(url: string): Promise<void> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      try {
        const response = await fetch(new URL("/orders/stream", url), { headers: { accept: "text/event-stream" }, signal });
        let text = "";
        for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
          const events = (text + chunk).split("\n\n");
          text = events.pop()!;
          for (const event of events) this.#add(event);
        }
      } catch {
        await sleep(100); // it may be down with the database
      }
    }
  }

  #add(event: string): void {
    const data = /^data: (.*)$/m.exec(event)?.[1];
    if (data !== undefined) this.seen.push({ ...(JSON.parse(data) as Omit<Step, "atMs">), atMs: performance.now() });
  }
}

/** Waits until every order is delivered; says of which that never came, or came by another way. */
async function unfinished(url: string, posts: readonly Post[]): Promise<readonly string[]> {
  const open = new Set(posts.flatMap(({ orderId }) => (orderId === undefined ? [] : [orderId])));
  const walked = new Map<string, string>();
  const deadlineMs = performance.now() + SETTLE_LIMIT_MS;
  while (open.size > 0 && performance.now() < deadlineMs) {
    for (const orderId of open) {
      const { json } = await call(url, "GET", `/orders/${orderId}`);
      walked.set(orderId, ((json["history"] ?? []) as readonly Step[]).map(({ status }) => status).join(" "));
      if (json["status"] !== "delivered") break;
      open.delete(orderId);
    }
    if (open.size > 0) await sleep(200);
  }
  const strange = [...walked].filter(([orderId, history]) => open.has(orderId) || history !== HISTORY);
  return strange.map(([orderId, history]) => `order ${orderId} went ${history}, ${open.size} are not delivered`);
}

async function residentMib(shop: readonly ShopProcess[]): Promise<readonly number[]> {
  return Promise.all(
    shop.map(async ({ pid }) => {
      const status = await readFile(`/proc/${pid}/status`, "utf8");
      return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024);
    }),
  );
}

process.exitCode = (await outages()) ? 0 : 1;
