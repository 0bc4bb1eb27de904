import { command, event } from "postrider";
import { z } from "zod";

const byMember = (body: { readonly memberId: string }): string => body.memberId;

/** A member's name the way the shop writes it: family name first. */
export const fullName = (member: { readonly firstName: string; readonly lastName: string }): string =>
  `${member.lastName} ${member.firstName}`;

/** Signs a member up. */
export const SignUp = command("member.sign-up", {
  schema: z.object({ memberId: z.string(), firstName: z.string(), lastName: z.string(), email: z.string() }),
  key: byMember,
  ordered: true,
  sensitive: ["firstName", "lastName", "email"],
});

/** Changes what is given of a member. */
export const ChangeMember = command("member.change", {
  schema: z.object({
    memberId: z.string(),
    firstName: z.string().optional(),
    lastName: z.string().optional(),
    email: z.string().optional(),
  }),
  key: byMember,
  ordered: true,
  sensitive: ["firstName", "lastName", "email"],
});

/** A member's name is new: version 1, for readers that take a name as it is written. */
export const MemberUpdatedV1 = event("member.updated", {
  version: 1,
  schema: z.object({ memberId: z.string(), name: z.string() }),
  key: byMember,
  ordered: true,
  sensitive: ["name"],
});

/** A member's name is new. Version 1 is published beside it. */
export const MemberUpdated = event("member.updated", {
  version: 2,
  schema: z.object({ memberId: z.string(), firstName: z.string(), lastName: z.string() }),
  key: byMember,
  ordered: true,
  alsoAs: { 1: (member) => ({ memberId: member.memberId, name: fullName(member) }) },
  sensitive: ["firstName", "lastName"],
});

/** A member's address is new; told before the name when both are. */
export const MemberContactChanged = event("member.contact-changed", {
  schema: z.object({ memberId: z.string(), email: z.string() }),
  key: byMember,
  ordered: true,
  sensitive: ["email"],
});

/** What can be ordered. */
export const Item = z.object({
  productId: z.string(),
  name: z.string(),
  price: z.int(),
  memberId: z.string().nullable(),
  /** The item service's own copy of the member's name; null while it knows none. */
  memberName: z.string().nullable(),
});

/** What can be ordered. */
export type Item = z.infer<typeof Item>;

/** Lists an item, or replaces the one of the same id. */
export const ListItem = command("item.list", {
  schema: z.object({ productId: z.string(), name: z.string(), price: z.int().positive(), memberId: z.string().nullable() }),
  reply: Item,
  key: (body) => body.productId,
});

/** An item as it stands, with a version that grows by each change. */
export const ItemListed = event("item.listed", { schema: Item.extend({ version: z.int() }), key: (body) => body.productId });
