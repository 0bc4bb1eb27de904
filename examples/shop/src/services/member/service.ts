import { service } from "postrider";
import type { HandlerContext } from "postrider";
import { ChangeMember, MemberContactChanged, MemberUpdated, SignUp } from "../../contracts/people.ts";
import { SOON } from "../../part.ts";
import type { Part } from "../../part.ts";
import { addMember, findMember, saveMember, TABLES } from "./store.ts";
import type { Member } from "./store.ts";

/** Member: who has signed up, and by what name. */
export function member(): Part {
  const definition = service(
    "member",
    (on) => {
      on(SignUp, async (signedUp, context) => {
        if (await addMember(context.tx, signedUp)) announce(undefined, signedUp, context);
      });
      on(ChangeMember, async ({ memberId, ...given }, context) => {
        const before = await findMember(context.tx, memberId);
        if (before === undefined) throw new MemberUnknown(memberId);
        const after = {
          memberId,
          firstName: given.firstName ?? before.firstName,
          lastName: given.lastName ?? before.lastName,
          email: given.email ?? before.email,
        };
        await saveMember(context.tx, after);
        announce(before, after, context);
      });
    },
    { retry: SOON },
  );
  return { service: definition, tables: TABLES };
}

class MemberUnknown extends Error {
  override readonly name = "MemberUnknown";
  readonly code = "member.unknown";
  constructor(memberId: string) {
    super(`there is no member ${memberId}`);
  }
}

function announce(
  before: Member | undefined,
  { memberId, firstName, lastName, email }: Member,
  { publish }: Pick<HandlerContext, "publish">,
): void {
  if (before?.email !== email) publish(MemberContactChanged, { memberId, email });
  if (before?.firstName !== firstName || before.lastName !== lastName) publish(MemberUpdated, { memberId, firstName, lastName });
}
