import type { World } from "./world.ts";

/** A demonstration that runs. */
export interface Demo {
  stop(): Promise<void>;
}

interface Product {
  readonly productId: string;
  readonly name: string;
  readonly price: number;
  readonly onHand: number;
  /** How often it is ordered, next to others. */
  readonly weight: number;
  readonly isMembers?: true;
}

const PRODUCTS: readonly Product[] = [
  { productId: "notebook", name: "노트북 14 · Notebook 14", price: 1_490_000, onHand: 120, weight: 2 },
  { productId: "monitor", name: "모니터 27 · Monitor 27", price: 420_000, onHand: 150, weight: 3 },
  { productId: "keyboard", name: "기계식 키보드 · Mechanical keyboard", price: 129_000, onHand: 200, weight: 4 },
  { productId: "mouse", name: "무선 마우스 · Wireless mouse", price: 39_000, onHand: 300, weight: 6 },
  { productId: "queues", name: "큐의 책 · The book of queues", price: 27_000, onHand: 250, weight: 6 },
  { productId: "mug", name: "머그컵 · Mug", price: 12_000, onHand: 400, weight: 5 },
  { productId: "used-book", name: "중고 책 · Second-hand book", price: 5_000, onHand: 60, weight: 2, isMembers: true },
  { productId: "ticket", name: "마지막 표 · Last tickets", price: 9_000, onHand: 12, weight: 1 },
  { productId: "cursed", name: "거절되는 카드 · Card that is declined", price: 13_402, onHand: 100, weight: 1 },
  { productId: "unregistered", name: "등록 안 된 상점 · Unregistered merchant", price: 7_777, onHand: 100, weight: 0.5 },
];
const CUSTOMERS = ["minji", "jisoo", "hana", "alex", "sam", "dohyun"];
const MEMBER = { firstName: "길동", lastName: "홍", email: "hong@example.com" };
const PAUSE_MS = { shortest: 2_000, longest: 6_000 };
const CANCEL_SHARE = 0.08;
const REFILL_BELOW = 10;

/** Fills an empty shop, then orders now and then, over the shop's own HTTP API, so that there is something to watch. */
export function startDemo(url: string, world: World): Demo {
  const stopping = new AbortController();
  const running = run(new DemoCustomer(url, world, stopping.signal), world, stopping.signal);
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

async function run(customer: DemoCustomer, { clock, random, logger }: World, signal: AbortSignal): Promise<void> {
  for (let isSeeded = false; !signal.aborted;) {
    try {
      if (!isSeeded) await customer.seed();
      isSeeded = true;
      await customer.order();
      await clock.sleep(PAUSE_MS.shortest + random.next() * (PAUSE_MS.longest - PAUSE_MS.shortest), signal);
    } catch (error) {
      if (signal.aborted) return;
      logger.warn({ err: error }, "the demonstration stumbled; it goes on");
      await clock.sleep(PAUSE_MS.longest, signal).catch(() => undefined);
    }
  }
}

class DemoCustomer {
  readonly #url: string;
  readonly #world: World;
  readonly #signal: AbortSignal;

  constructor(url: string, world: World, signal: AbortSignal) {
    this.#url = url;
    this.#world = world;
    this.#signal = signal;
  }

  /** Lists and stocks what is not there yet. */
  async seed(): Promise<void> {
    const { items } = (await this.#call("GET", "/items")) as { readonly items: readonly { readonly productId: string }[] };
    const missing = PRODUCTS.filter((product) => !items.some((item) => item.productId === product.productId));
    for (const { productId, name, price, onHand, isMembers } of missing) {
      const memberId = isMembers === true ? await this.#signUp() : undefined;
      await this.#call("POST", "/items", { productId, name, price, ...(memberId === undefined ? {} : { memberId }) });
      await this.#call("PUT", `/stock/${productId}`, { onHand });
    }
  }

  /** Orders something by chance, and sometimes thinks better of it. */
  async order(): Promise<void> {
    const { random, clock } = this.#world;
    const products = [...new Set([this.#pick(), ...(random.next() < 0.4 ? [this.#pick()] : [])])];
    const items = products.map(({ productId, price }) => ({
      productId,
      quantity: price < 50_000 && price % 1000 === 0 ? 1 + Math.floor(random.next() * 3) : 1,
    }));
    const customerId = CUSTOMERS[Math.floor(random.next() * CUSTOMERS.length)]!;
    const placed = (await this.#call("POST", "/orders", { customerId, items })) as { readonly orderId: string };
    if (random.next() < CANCEL_SHARE) {
      await clock.sleep(random.next() * PAUSE_MS.longest, this.#signal);
      await this.#call("POST", `/orders/${placed.orderId}/cancel`).catch(() => undefined); // too late is fine
    }
    for (const { productId } of products) await this.#refill(productId);
  }

  async #signUp(): Promise<string> {
    return ((await this.#call("POST", "/members", MEMBER)) as { readonly memberId: string }).memberId;
  }

  async #refill(productId: string): Promise<void> {
    const product = PRODUCTS.find((one) => one.productId === productId);
    const stock = (await this.#call("GET", `/stock/${productId}`)) as { readonly onHand: number };
    if (product !== undefined && product.productId !== "ticket" && stock.onHand < REFILL_BELOW)
      await this.#call("PUT", `/stock/${productId}`, { onHand: product.onHand });
  }

  #pick(): Product {
    let rest = this.#world.random.next() * PRODUCTS.reduce((sum, product) => sum + product.weight, 0);
    return PRODUCTS.find((product) => (rest -= product.weight) < 0) ?? PRODUCTS[0]!;
  }

  async #call(method: string, path: string, body?: object): Promise<unknown> {
    const response = await fetch(new URL(path, this.#url), {
      method,
      ...(body === undefined ? {} : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
      signal: this.#signal,
    });
    const answer: unknown = await response.json();
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status} ${JSON.stringify(answer)}`);
    return answer;
  }
}
