import { service } from "postrider";
import type { HandlerContext, Sql } from "postrider";
import { fullName, ItemListed, ListItem, MemberUpdated, MemberUpdatedV1 } from "../../contracts/people.ts";
import { SOON } from "../../part.ts";
import type { Part } from "../../part.ts";
import type { AskMemberName } from "./member-names.ts";
import { keepAskedName, knownName, putItem, renameMember, TABLES, takeName } from "./store.ts";
import type { VersionedItem } from "./store.ts";

/** What item needs of the world. */
export interface ItemNeeds {
  readonly askMemberName: AskMemberName;
  /** Item's own committed rows: to look before the unit of work opens, so that none is open while the member service is asked. */
  readonly read: () => Sql;
}

/** Item: what can be ordered, with a copy of its member's name. */
export function item({ askMemberName, read }: ItemNeeds): Part {
  const rename = async (memberId: string, name: string, { tx, publish }: HandlerContext): Promise<void> => {
    for (const changed of await renameMember(tx, memberId, name)) publish(ItemListed, changed);
  };
  const definition = service(
    "item",
    (on) => {
      on(ListItem, async (listed, { tx, publish, reply, signal }) => {
        const { memberId } = listed;
        const asked = memberId === null || (await knownName(read(), memberId)) !== undefined ? null : await askMemberName(memberId, signal);
        if (memberId !== null && asked !== null) await keepAskedName(tx, memberId, asked);
        const memberName = memberId === null ? null : ((await takeName(tx, memberId)) ?? null);
        const stored = await putItem(tx, { ...listed, memberName });
        publish(ItemListed, stored);
        reply(withoutVersion(stored));
      });
      // Both versions are published for one change; whichever comes, this runs once for it.
      on(MemberUpdated, (changed, context) => rename(changed.memberId, fullName(changed), context));
      on(MemberUpdatedV1, ({ memberId, name }, context) => rename(memberId, name, context));
    },
    { retry: SOON },
  );
  return { service: definition, tables: TABLES };
}

function withoutVersion({ version: _version, ...rest }: VersionedItem): Omit<VersionedItem, "version"> {
  return rest;
}
