import { z } from "zod";
import { MOST_ROWS } from "../services/gateway/reads.ts";
import { Problem } from "./problem.ts";

// A lone surrogate has no UTF-8 and a NUL no place in some databases: neither gets in, so nothing behind has to think of them.
const isClean = (text: string): boolean => text.isWellFormed() && !/\p{Cc}/u.test(text) && /\S/.test(text);
const text = (longest: number): z.ZodString => z.string().min(1).max(longest).refine(isClean, "must be plain text");

const Text = text(200);
const Whole = z.int().min(0).max(1_000_000_000);

/** `POST /orders`. */
export const OrderInput = z.strictObject({
  customerId: Text,
  items: z
    .array(z.strictObject({ productId: Text, quantity: z.int().min(1).max(1_000_000) }))
    .min(1)
    .max(100),
});

/** `PUT /stock/:productId`. */
export const StockInput = z.strictObject({ onHand: Whole });

// It becomes a segment of a path, as it is: `..` and slashes would lead elsewhere, and the item could be bought and never looked at.
const PlainId = z
  .string()
  .regex(/^(?!\.{1,2}$)[A-Za-z0-9._~-]{1,64}$/, "must be 1 to 64 letters, digits or any of . _ ~ -, and neither . nor ..");

/** `POST /items`. */
export const ItemInput = z.strictObject({ productId: PlainId.optional(), name: Text, price: Whole.min(1), memberId: Text.nullish() });

const Email = z.email().max(254);

/** `POST /members`. */
export const SignUpInput = z.strictObject({ firstName: Text, lastName: Text, email: Email });

/** `PUT /members/:id`. */
export const MemberInput = SignUpInput.partial().refine((given) => Object.keys(given).length > 0, "must change something");

/** A path's id. */
export const IdParams = z.object({ id: Text });

/** A list of one customer. */
export const CustomerQuery = z.object({ customerId: Text, limit: z.coerce.number().int().min(1).max(MOST_ROWS).default(MOST_ROWS) });

/** A list of one customer, or of everybody's newest. */
export const OrdersQuery = z.object({ customerId: Text.optional(), limit: z.coerce.number().int().min(1).max(MOST_ROWS).optional() });

/** `Idempotency-Key`. */
export const IdempotencyKey = z
  .string()
  .regex(/^[\x21-\x7e]{1,255}$/, "must be 1 to 255 visible ASCII characters")
  .optional();

/** Reads what came from outside, or answers 400 with everything that is wrong. */
export function read<Schema extends z.ZodType>(schema: Schema, value: unknown, what: string = "body"): z.infer<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issues = result.error.issues.slice(0, 20).map((issue) => `${issue.path.join(".") || what}: ${issue.message}`);
  throw new Problem(400, "input.invalid", "The request is not what it should be", issues);
}
