/** Every text of the page, by language. */
export const TEXTS = {
  en: {
    shop: "shop", customer: "I am", catalogue: "What there is", orders: "Orders, live", everybody: "everybody's", mine: "mine",
    stock: "Stock", notifications: "Messages", invoices: "Invoices", failures: "Failures",
    live: "live", reconnecting: "reconnecting …", add: "Add", remove: "Take out", order: "Order", emptyBasket: "Choose something to order", total: "Total",
    left: "left", soldOut: "sold out", by: "by", cancel: "Cancel", redrive: "Try again", noOrders: "No order yet. Choose something on the left.",
    noNotifications: "No messages for you yet.", noInvoices: "No invoices yet: one comes with each delivered order.", noFailures: "Nothing has failed for good.",
    failuresHint: "What failed for good waits here. Mend its cause, then try again: it goes back to the one handler that failed, and nothing is done twice.",
    onHand: "free", reserved: "held", sold: "gone", attempts: "runs",
    accepted: "Order accepted", cancelAccepted: "It will be cancelled, and your money comes back", redriven: "Handed back",
    totalOrders: "orders", totalRevenue: "revenue", failedPayments: "declined", vipOrders: "VIP orders", underWay: "under way", deliveredCount: "delivered",
    alsoBought: "Bought together",
    status: { pending: "received", reserved: "reserved", paid: "paid", shipped: "on its way", delivered: "delivered", cancelled: "cancelled" },
    reason: { "card declined": "card declined", "out of stock": "out of stock", "cancelled by customer": "cancelled by customer" },
    told: {
      pending: "We have received order {order}.", paid: "Order {order} is paid.", shipped: "Order {order} is on its way.",
      delivered: "Order {order} was delivered.", cancelled: "Order {order} was cancelled.",
    },
  },
  ko: {
    shop: "상점", customer: "고객", catalogue: "상품", orders: "실시간 주문", everybody: "모두", mine: "내 주문",
    stock: "재고", notifications: "알림", invoices: "청구서", failures: "실패",
    live: "실시간", reconnecting: "다시 연결하는 중 …", add: "담기", remove: "빼기", order: "주문하기", emptyBasket: "주문할 상품을 고르세요", total: "합계",
    left: "개 남음", soldOut: "품절", by: "판매", cancel: "취소", redrive: "다시 시도", noOrders: "아직 주문이 없습니다. 상품을 골라 보세요.",
    noNotifications: "아직 알림이 없습니다.", noInvoices: "아직 청구서가 없습니다. 배송이 끝나면 발행됩니다.", noFailures: "완전히 실패한 메시지가 없습니다.",
    failuresHint: "여러 번 시도해도 실패한 메시지가 여기서 기다립니다. 원인을 고친 뒤 다시 시도하세요. 실패한 처리기 하나에만 다시 전달되며, 두 번 처리되는 일은 없습니다.",
    onHand: "판매 가능", reserved: "예약됨", sold: "판매됨", attempts: "회 시도",
    accepted: "주문을 접수했습니다", cancelAccepted: "주문이 취소되고 결제 금액은 환불됩니다", redriven: "다시 전달했습니다",
    totalOrders: "주문", totalRevenue: "매출", failedPayments: "결제 거절", vipOrders: "VIP 주문", underWay: "진행 중", deliveredCount: "배송 완료",
    alsoBought: "함께 구매",
    status: { pending: "접수", reserved: "재고 확보", paid: "결제 완료", shipped: "배송 중", delivered: "배송 완료", cancelled: "취소됨" },
    reason: { "card declined": "카드 거절", "out of stock": "재고 부족", "cancelled by customer": "고객 취소" },
    told: {
      pending: "주문 {order}을(를) 접수했습니다.", paid: "주문 {order}의 결제가 끝났습니다.", shipped: "주문 {order}이(가) 배송을 시작했습니다.",
      delivered: "주문 {order}이(가) 도착했습니다.", cancelled: "주문 {order}이(가) 취소되었습니다.",
    },
  },
};
