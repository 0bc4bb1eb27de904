import { $, call, count, el, language, local, nameOf, shortId, state, t, time, won } from "./page.js";

const STEPS = ["pending", "reserved", "paid", "shipped", "delivered"];
const VIP_FROM_WON = 1_000_000;

/** What buttons do; filled by who wires the page. */
export const actions = { cancel: undefined, redrive: undefined };

export function showLive(isOn) {
  $("live").classList.toggle("is-on", isOn);
  $("live").lastElementChild.textContent = isOn ? t("live") : t("reconnecting");
}

export function showNumbers() {
  if (state.sums === undefined) return;
  const { totalOrders, totalRevenue, failedPayments, vipOrders, byStatus } = state.sums;
  const underWay = byStatus.pending + byStatus.reserved + byStatus.paid + byStatus.shipped;
  const numbers = [
    ["totalOrders", count(totalOrders)],
    ["totalRevenue", won(totalRevenue)],
    ["underWay", count(underWay)],
    ["deliveredCount", count(byStatus.delivered)],
    ["vipOrders", count(vipOrders)],
    ["failedPayments", count(failedPayments)],
  ];
  $("numbers").replaceChildren(
    ...numbers.map(([name, value]) =>
      el("div", { className: "number" }, el("strong", { textContent: value }), el("span", { textContent: t(name) })),
    ),
  );
}

export function showProducts() {
  $("products").replaceChildren(
    ...state.items.map((item) => {
      const free = state.stock.get(item.productId)?.onHand ?? 0;
      const facts = [
        won(item.price),
        free > 0 ? (language.value === "ko" ? `${count(free)}${t("left")}` : `${count(free)} ${t("left")}`) : t("soldOut"),
        item.memberName && `${t("by")} ${item.memberName}`,
      ];
      return el(
        "li",
        { className: "product" },
        el("span", { className: "tile", textContent: [...local(item.name)][0] ?? "?", ariaHidden: "true" }),
        el("span", { className: "name", textContent: local(item.name) }),
        el("span", { className: "facts", textContent: facts.filter(Boolean).join(" · ") }),
        el("button", {
          type: "button",
          textContent: t("add"),
          ariaLabel: `${t("add")}: ${local(item.name)}`,
          onclick: () => putInBasket(item.productId),
        }),
      );
    }),
  );
  showBasket();
}

function putInBasket(productId) {
  state.basket.set(productId, (state.basket.get(productId) ?? 0) + 1);
  showBasket();
  void showCompanions(productId);
  $("basket").scrollIntoView({ block: "nearest" });
}

/** Offers what others bought along with a product. */
async function showCompanions(productId) {
  const { boughtTogether } = await call("GET", `/recommendations/${encodeURIComponent(productId)}`).catch(() => ({ boughtTogether: [] }));
  const offered = boughtTogether
    .filter((other) => !state.basket.has(other.productId) && state.items.some((item) => item.productId === other.productId))
    .slice(0, 2);
  $("companions").hidden = offered.length === 0;
  $("companions").replaceChildren(
    `${t("alsoBought")}: `,
    ...offered.map((other) =>
      el("button", { type: "button", textContent: `+ ${nameOf(other.productId)}`, onclick: () => putInBasket(other.productId) }),
    ),
  );
}

export function showBasket() {
  $("basket-lines").replaceChildren(
    ...[...state.basket].map(([productId, quantity]) => {
      const amount = el("input", { type: "number", min: "1", max: "1000000", value: quantity, ariaLabel: nameOf(productId) });
      amount.addEventListener("change", () => {
        state.basket.set(productId, Math.max(1, Math.min(1_000_000, Math.trunc(Number(amount.value)) || 1)));
        showBasket();
      });
      const out = el("button", {
        type: "button",
        textContent: "×",
        ariaLabel: `${t("remove")}: ${nameOf(productId)}`,
        onclick: () => (state.basket.delete(productId), showBasket()),
      });
      return el("div", { className: "basket-line" }, el("span", { textContent: nameOf(productId) }), amount, out);
    }),
  );
  const total = [...state.basket].reduce(
    (sum, [productId, quantity]) => sum + quantity * (state.items.find((item) => item.productId === productId)?.price ?? 0),
    0,
  );
  $("order").disabled = state.basket.size === 0;
  $("order").textContent = state.basket.size === 0 ? t("emptyBasket") : `${t("order")} · ${won(total)}`;
}

export function showOrders() {
  const orders = [...state.orders.values()].sort((one, other) => (one.orderId < other.orderId ? 1 : -1));
  if (orders.length === 0) return void $("order-list").replaceChildren(el("li", { className: "empty", textContent: t("noOrders") }));
  $("order-list").replaceChildren(...orders.map(orderCard));
}

function orderCard(order) {
  const { orderId, customerId, status, items, totalAmount, progress, history, reason } = order;
  const canCancel = STEPS.indexOf(status) >= 0 && STEPS.indexOf(status) < 3;
  const card = el(
    "li",
    { className: `order is-${status}${order.isNew ? " is-new" : ""}` },
    el(
      "div",
      { className: "order-head" },
      el("span", { className: "chip", textContent: t("status")[status] + (reason ? ` · ${t("reason")[reason] ?? reason}` : "") }),
      totalAmount >= VIP_FROM_WON && el("span", { className: "vip", textContent: "VIP" }),
      el("span", { textContent: customerId }),
      el("code", { textContent: shortId(orderId), title: orderId }),
      el("span", { className: "sum", textContent: won(totalAmount) }),
    ),
    el("div", { className: "what", textContent: items.map((line) => `${nameOf(line.productId)} × ${count(line.quantity)}`).join(", ") }),
    el(
      "div",
      { className: "order-foot" },
      el("progress", {
        max: 100,
        value: status === "cancelled" ? 100 : progress,
        ariaLabel: t("status")[status],
        title: history.map((step) => `${time(step.at)} ${t("status")[step.status]}`).join("\n"),
      }),
      el("small", { textContent: status === "cancelled" ? time(history.at(-1).at) : `${progress} %` }),
      canCancel && el("button", { type: "button", textContent: t("cancel"), onclick: () => void actions.cancel(orderId) }),
    ),
  );
  delete order.isNew;
  return card;
}

const VIEWS = {
  stock: () =>
    state.items
      .map((item) => state.stock.get(item.productId))
      .filter(Boolean)
      .map(stockRow),
  notifications: () =>
    state.notes.map((note) =>
      row(t("status")[note.step], time(note.at), (t("told")[note.step] ?? note.text).replace("{order}", shortId(note.orderId))),
    ),
  invoices: () =>
    state.invoices.map((invoice) =>
      row(
        `${invoice.invoiceId} · ${won(invoice.totalAmount)}`,
        time(invoice.issuedAt),
        invoice.items.map((line) => `${nameOf(line.productId)} × ${line.quantity}`).join(", "),
      ),
    ),
  failures: () => state.letters.map(letterRow),
};
const EMPTY = { stock: "noOrders", notifications: "noNotifications", invoices: "noInvoices", failures: "noFailures" };

export function showTab() {
  for (const tab of $("tabs").children) {
    tab.setAttribute("aria-selected", String(tab.dataset.tab === state.tab));
    tab.tabIndex = tab.dataset.tab === state.tab ? 0 : -1;
  }
  $("view").setAttribute("aria-labelledby", `tab-${state.tab}`);
  $("failure-count").hidden = state.letters.length === 0;
  $("failure-count").textContent = state.letters.length;
  const rows = VIEWS[state.tab]();
  const hint = state.tab === "failures" && rows.length > 0 && el("p", { className: "hint", textContent: t("failuresHint") });
  $("view").replaceChildren(...[hint, ...rows].filter(Boolean));
  if (rows.length === 0) $("view").replaceChildren(el("p", { className: "empty", textContent: t(EMPTY[state.tab]) }));
}

const row = (head, side, text) =>
  el(
    "div",
    { className: "row" },
    el("div", { className: "row-head" }, el("b", { textContent: head }), el("small", { textContent: side })),
    el("div", { textContent: text }),
  );

function stockRow({ productId, onHand, reserved, sold }) {
  const bar = el("div", { className: "bar", ariaHidden: "true" });
  const all = Math.max(1, onHand + reserved + sold);
  for (const [kind, pieces] of [
    ["free", onHand],
    ["held", reserved],
    ["gone", sold],
  ]) {
    const part = el("i", { className: kind });
    part.style.width = `${(pieces / all) * 100}%`;
    bar.append(part);
  }
  return el(
    "div",
    { className: "row" },
    el("b", { textContent: nameOf(productId) }),
    bar,
    el("small", { textContent: `${count(onHand)} ${t("onHand")} · ${count(reserved)} ${t("reserved")} · ${count(sold)} ${t("sold")}` }),
  );
}

function letterRow({ id, contract, service, code, reason, attempts, at }) {
  return el(
    "div",
    { className: "row" },
    el("div", { className: "row-head" }, el("b", { textContent: `${contract} → ${service}` }), el("small", { textContent: time(at) })),
    el("div", { className: "code", textContent: code }),
    el("div", { textContent: reason }),
    el("small", { textContent: language.value === "ko" ? `${attempts}${t("attempts")}` : `${attempts} ${t("attempts")}` }),
    el("br"),
    el("button", { type: "button", textContent: t("redrive"), onclick: (event) => void actions.redrive(id, event.currentTarget) }),
  );
}
