import type { Sql } from "postrider";
import type { Item } from "../../contracts/people.ts";

/** Item's tables. */
export const TABLES: readonly string[] = [
  `create table if not exists item_items (
     product_id varchar(255) primary key, name text not null, price bigint not null, member_id varchar(255), member_name text, version bigint not null)`,
  "create index if not exists item_items_member on item_items (member_id)",
  "create table if not exists item_members (member_id varchar(255) primary key, name text not null)",
];

/** An item and its version. */
export type VersionedItem = Item & { readonly version: number };

const COLUMNS = 'product_id as "productId", name, price, member_id as "memberId", member_name as "memberName", version';

/** The copy of a member's name, or undefined. */
export async function knownName(sql: Sql, memberId: string): Promise<string | undefined> {
  return (await sql.get<{ readonly name: string }>("select name from item_members where member_id = ?", memberId))?.name;
}

/** The copy of a member's name, which nobody changes before the unit of work ends. */
export async function takeName(tx: Sql, memberId: string): Promise<string | undefined> {
  await tx.run("update item_members set name = name where member_id = ?", memberId);
  return knownName(tx, memberId);
}

/** Keeps a name that was asked for, unless news of the member came first. */
export async function keepAskedName(tx: Sql, memberId: string, name: string): Promise<void> {
  await tx.run("insert into item_members (member_id, name) values (?, ?) on conflict do nothing", memberId, name);
}

/** Takes a member's new name over, into the member's items too. Returns those. */
export async function renameMember(tx: Sql, memberId: string, name: string): Promise<readonly VersionedItem[]> {
  await tx.run(
    "insert into item_members (member_id, name) values (?, ?) on conflict (member_id) do update set name = excluded.name",
    memberId,
    name,
  );
  const { changes } = await tx.run(
    "update item_items set member_name = ?, version = version + 1 where member_id = ? and (member_name is null or member_name <> ?)",
    name,
    memberId,
    name,
  );
  return changes === 0 ? [] : await tx.all<VersionedItem>(`select ${COLUMNS} from item_items where member_id = ?`, memberId);
}

/** Adds an item, or replaces the one of its id. */
export async function putItem(tx: Sql, { productId, name, price, memberId, memberName }: Item): Promise<VersionedItem> {
  await tx.run(
    `insert into item_items (product_id, name, price, member_id, member_name, version) values (?, ?, ?, ?, ?, 1)
     on conflict (product_id) do update set name = excluded.name, price = excluded.price, member_id = excluded.member_id,
       member_name = excluded.member_name, version = item_items.version + 1`,
    productId,
    name,
    price,
    memberId,
    memberName,
  );
  const row = await tx.get<VersionedItem>(`select ${COLUMNS} from item_items where product_id = ?`, productId);
  return row!;
}
