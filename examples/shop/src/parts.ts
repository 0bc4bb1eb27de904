import type { Bus } from "postrider";
import type { Part } from "./part.ts";
import { analytics, vip } from "./services/analytics/service.ts";
import { gateway } from "./services/gateway/service.ts";
import { inventory } from "./services/inventory/service.ts";
import { invoice } from "./services/invoice/service.ts";
import { askMemberOverHttp } from "./services/item/member-names.ts";
import { item } from "./services/item/service.ts";
import { member } from "./services/member/service.ts";
import { notification } from "./services/notification/service.ts";
import { ordering } from "./services/ordering/service.ts";
import { httpProvider } from "./services/payment/provider-client.ts";
import { payment } from "./services/payment/service.ts";
import { recommendation } from "./services/recommendation/service.ts";
import { shipping } from "./services/shipping/service.ts";
import type { ServiceName } from "./settings.ts";

/** What the services need of the process that they run in. */
export interface PartsNeeds {
  readonly stepMs: number;
  readonly providerUrl: string;
  readonly memberUrl: () => string | undefined;
  readonly onHistory: () => void;
  /** Made after the parts; asked for once messages flow. */
  readonly bus: () => Bus;
}

/** All parts of the shop, by the name that `SHOP_SERVICES` has for them. Every process knows all contracts and tables; it runs some. */
export function partsOf(needs: PartsNeeds): Readonly<Record<ServiceName, readonly Part[]>> {
  return {
    gateway: [gateway(needs.onHistory)],
    ordering: [ordering()],
    payment: [payment(httpProvider(needs.providerUrl))],
    inventory: [inventory()],
    shipping: [shipping(needs.stepMs)],
    invoice: [invoice()],
    notification: [notification()],
    analytics: [analytics(), vip()],
    recommendation: [recommendation()],
    member: [member()],
    item: [item({ askMemberName: askMemberOverHttp(needs.memberUrl), read: () => needs.bus().as("item").read })],
  };
}
