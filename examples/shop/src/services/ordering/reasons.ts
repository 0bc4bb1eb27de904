/** Why an order was cancelled, as its customer reads it. */
export const CANCELLED_BY_CUSTOMER = "cancelled by customer";
/** Why an order was cancelled, as its customer reads it. */
export const CARD_DECLINED = "card declined";
/** Why an order was cancelled, as its customer reads it. */
export const OUT_OF_STOCK = "out of stock";
