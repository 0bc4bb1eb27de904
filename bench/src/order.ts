import { z } from "zod";

/** Bytes of JSON in every message, unless a case says otherwise. */
export const ORDER_BYTES = 1024;

const Line = z.object({
  productId: z.string(),
  name: z.string(),
  quantity: z.number().int().positive(),
  unitPrice: z.number().int().nonnegative(),
  options: z.array(z.string()),
});
const Address = z.object({ recipient: z.string(), street: z.string(), city: z.string(), postalCode: z.string(), country: z.string() });
const Money = z.object({ amount: z.number().int().nonnegative(), currency: z.string() });

/** A nested order, as a shop would send it. */
export const OrderSchema = z.object({
  orderId: z.string(),
  customerId: z.string(),
  placedAt: z.string(),
  items: z.array(Line),
  shipTo: Address,
  total: Money,
  channel: z.enum(["web", "app", "phone"]),
  isGift: z.boolean(),
  note: z.string(),
});

/** What {@link orders} makes. */
export type Order = z.infer<typeof OrderSchema>;

/** Takes what is JSON: for figures beside others that check nothing. */
export const UncheckedSchema = {
  "~standard": { version: 1, vendor: "bench", validate: (value: unknown) => ({ value: value as Order }) },
} as const;

/** A small order for the largest backlogs, where a full one would only measure the disk's size. */
export const TinySchema = z.object({ orderId: z.string(), amount: z.number() });

/** What {@link tinyOrders} makes. */
export type TinyOrder = z.infer<typeof TinySchema>;

const TEMPLATES = 64; // rotating, so that no cache or inlined shape sees the same values again and again
const ID_DIGITS = 9;

/** Makes orders of exactly {@link ORDER_BYTES} of JSON; the n-th differs from all others by its id. */
export function orders(): (n: number) => Order {
  const templates = Array.from({ length: TEMPLATES }, (_, index) => padded(template(index)));
  return (n) => ({ ...templates[n % TEMPLATES]!, orderId: orderId(n) });
}

/** Makes orders of 44 bytes of JSON. */
export function tinyOrders(): (n: number) => TinyOrder {
  return (n) => ({ orderId: orderId(n), amount: 10_000 + (n % 90_000) });
}

/** Which order it was: the n that it was made with. */
export function numberOf(order: { readonly orderId: string }): number {
  return Number(order.orderId.slice(2));
}

function orderId(n: number): string {
  return `o-${String(n).padStart(ID_DIGITS, "0")}`;
}

function template(index: number): Order {
  const digit = index % 10;
  return {
    orderId: orderId(index),
    customerId: `customer-${String(1000 + index)}`,
    placedAt: `2026-11-21T09:${String(10 + (index % 50))}:00.000Z`,
    items: [0, 1, 2, 3].map((line) => ({
      productId: `product-${String(100 + index + line)}`,
      name: ["Trail running shoes", "Merino wool socks", "Waterproof jacket", "Titanium camping mug"][line]!,
      quantity: 1 + ((index + line) % 9),
      unitPrice: 10_000 + 100 * index + line,
      options: line % 2 === 0 ? ["colour:graphite", `size:4${digit}`] : [],
    })),
    shipTo: { recipient: "Kim Minji", street: `${String(10 + digit)} Sejong-daero`, city: "Seoul", postalCode: "04524", country: "KR" },
    total: { amount: 60_000 + 100 * index, currency: "KRW" },
    channel: "web",
    isGift: digit === 0,
    note: "",
  };
}

function padded(order: Order): Order {
  const missing = ORDER_BYTES - Buffer.byteLength(JSON.stringify(order));
  return { ...order, note: "please leave the parcel at the door ".repeat(20).slice(0, missing) };
}
