import type { Sql } from "postrider";

/** Member's tables. */
export const TABLES: readonly string[] = [
  "create table if not exists member_members (member_id varchar(255) primary key, first_name text not null, last_name text not null, email text not null)",
];

/** Who has signed up. */
export interface Member {
  readonly memberId: string;
  readonly firstName: string;
  readonly lastName: string;
  readonly email: string;
}

/** A member, or undefined. */
export function findMember(sql: Sql, memberId: string): Promise<Member | undefined> {
  return sql.get<Member>(
    'select member_id as "memberId", first_name as "firstName", last_name as "lastName", email from member_members where member_id = ?',
    memberId,
  );
}

/** Adds a member; false when it is there. */
export async function addMember(tx: Sql, { memberId, firstName, lastName, email }: Member): Promise<boolean> {
  const { changes } = await tx.run(
    "insert into member_members (member_id, first_name, last_name, email) values (?, ?, ?, ?) on conflict do nothing",
    memberId,
    firstName,
    lastName,
    email,
  );
  return changes === 1;
}

/** Writes what is now known of a member. */
export async function saveMember(tx: Sql, { memberId, firstName, lastName, email }: Member): Promise<void> {
  await tx.run(
    "update member_members set first_name = ?, last_name = ?, email = ? where member_id = ?",
    firstName,
    lastName,
    email,
    memberId,
  );
}
