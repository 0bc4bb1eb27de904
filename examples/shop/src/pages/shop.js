import { TEXTS } from "./texts.js";

const STEPS = ["pending", "reserved", "paid", "shipped", "delivered"];
const PROGRESS = { pending: 10, reserved: 30, paid: 50, shipped: 75, delivered: 100 };
const MOST_ORDERS = 40;
const VIP_FROM_WON = 1_000_000;

const language = { value: "en" };
const state = { items: [], stock: new Map(), basket: new Map(), orders: new Map(), scope: "all", tab: "stock", customer: "", sums: undefined, letters: [], invoices: [], notes: [] };
const $ = (id) => document.getElementById(id);
const t = (name) => TEXTS[language.value][name];
const won = (amount) => `${new Intl.NumberFormat(language.value).format(amount)}${language.value === "ko" ? "원" : " ₩"}`;
const time = (at) => new Date(at).toLocaleTimeString(language.value, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const shortId = (orderId) => orderId.slice(-6);
/** A name in both languages, "한국어 · English", shows the reader's; any other shows as it is. */
const local = (name) => {
  const [korean, english, ...more] = name.split(" · ");
  return english === undefined || more.length > 0 ? name : language.value === "ko" ? korean : english;
};
const nameOf = (productId) => local(state.items.find((item) => item.productId === productId)?.name ?? productId);

/** An element with properties and children; text is always text, never markup. */
function el(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children.filter((child) => child !== undefined && child !== false));
  return made;
}

async function call(method, path, body, headers = {}) {
  const response = await fetch(path, { method, headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers }, body: body === undefined ? undefined : JSON.stringify(body) });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.title ?? `${response.status}`);
  return answer;
}

/** Runs `work` soon, once for many calls, and not while it runs. */
function soon(work, waitMs) {
  let timer, isRunning = false, isWanted = false;
  const run = async () => {
    timer = undefined;
    isRunning = true;
    isWanted = false;
    await work().catch(() => undefined); // the next event asks again
    isRunning = false;
    if (isWanted) ask();
  };
  const ask = () => {
    isWanted = true;
    if (!isRunning) timer ??= setTimeout(run, waitMs);
  };
  return ask;
}

// ── what is fetched ─────────────────────────────────────────────────────────────────────────────────────────────────

const askStock = soon(async () => {
  const [items, stock] = await Promise.all([call("GET", "/items"), call("GET", "/stock")]);
  state.items = items.items.sort((one, other) => other.price - one.price);
  state.stock = new Map(stock.items.map((level) => [level.productId, level]));
  showProducts();
  showTab();
}, 400);
const askSums = soon(async () => {
  state.sums = await call("GET", "/analytics");
  showNumbers();
}, 400);
const askLetters = soon(async () => {
  state.letters = (await call("GET", "/dead-letters")).items;
  showTab();
}, 400);
const askPapers = soon(async () => {
  const query = `?customerId=${encodeURIComponent(state.customer)}&limit=50`;
  const [notes, invoices] = await Promise.all([call("GET", `/notifications${query}`), call("GET", `/invoices${query}`)]);
  state.notes = notes.items;
  state.invoices = invoices.items;
  showTab();
}, 400);

async function loadOrders() {
  const mine = state.scope === "mine" ? `customerId=${encodeURIComponent(state.customer)}&` : "";
  const { items } = await call("GET", `/orders?${mine}limit=${MOST_ORDERS}`);
  state.orders = new Map(items.map((order) => [order.orderId, order]));
  showOrders();
}

/** Puts a step from the event stream where it belongs. An order that is new here is fetched whole. */
async function takeStep({ orderId, status, at }) {
  const order = state.orders.get(orderId);
  if (order === undefined) {
    const fetched = await call("GET", `/orders/${orderId}`).catch(() => undefined);
    if (fetched === undefined || (state.scope === "mine" && fetched.customerId !== state.customer)) return;
    state.orders = new Map([[orderId, { ...fetched, isNew: true }], ...[...state.orders].filter(([id]) => id !== orderId)].slice(0, MOST_ORDERS));
  } else if (!order.history.some((step) => step.status === status)) {
    Object.assign(order, { status, progress: Math.max(order.progress, PROGRESS[status] ?? 0), history: [...order.history, { status, at }] });
    if (status === "cancelled") order.reason = (await call("GET", `/orders/${orderId}`).catch(() => order)).reason;
  }
  showOrders();
  if (state.orders.get(orderId)?.customerId === state.customer) askPapers();
}

function load() {
  loadOrders().catch(() => undefined);
  [askStock, askSums, askLetters, askPapers].forEach((ask) => ask());
}

function listen() {
  const source = new EventSource("/orders/stream");
  source.addEventListener("open", () => {
    showLive(true);
    load(); // what happened before, or while we were away
  });
  source.addEventListener("error", () => showLive(false));
  source.addEventListener("message", (event) => {
    takeStep(JSON.parse(event.data));
    askStock();
    askSums();
  });
  setInterval(askLetters, 3_000);
  setInterval(askSums, 5_000);
}

// ── what is shown ───────────────────────────────────────────────────────────────────────────────────────────────────

function showLive(isOn) {
  $("live").classList.toggle("is-on", isOn);
  $("live").lastElementChild.textContent = isOn ? t("live") : t("reconnecting");
}

function showNumbers() {
  if (state.sums === undefined) return;
  const { totalOrders, totalRevenue, failedPayments, vipOrders, byStatus } = state.sums;
  const underWay = byStatus.pending + byStatus.reserved + byStatus.paid + byStatus.shipped;
  const numbers = [["totalOrders", totalOrders], ["totalRevenue", won(totalRevenue)], ["underWay", underWay], ["deliveredCount", byStatus.delivered], ["vipOrders", vipOrders], ["failedPayments", failedPayments]];
  $("numbers").replaceChildren(...numbers.map(([name, value]) => el("div", { className: "number" }, el("strong", { textContent: value }), el("span", { textContent: t(name) }))));
}

function showProducts() {
  $("products").replaceChildren(
    ...state.items.map((item) => {
      const free = state.stock.get(item.productId)?.onHand ?? 0;
      const facts = [won(item.price), free > 0 ? (language.value === "ko" ? `${free}${t("left")}` : `${free} ${t("left")}`) : t("soldOut"), item.memberName && `${t("by")} ${item.memberName}`];
      return el("li", { className: "product" },
        el("span", { className: "tile", textContent: [...local(item.name)][0] ?? "?", ariaHidden: "true" }),
        el("span", { className: "name", textContent: local(item.name) }),
        el("span", { className: "facts", textContent: facts.filter(Boolean).join(" · ") }),
        el("button", { type: "button", textContent: t("add"), ariaLabel: `${t("add")}: ${local(item.name)}`, onclick: () => putInBasket(item.productId) }));
    }),
  );
  showBasket();
}

function putInBasket(productId) {
  state.basket.set(productId, (state.basket.get(productId) ?? 0) + 1);
  showBasket();
  if (!$("basket").checkVisibility() || $("basket").getBoundingClientRect().top > innerHeight) $("basket").scrollIntoView({ block: "nearest" });
}

function showBasket() {
  $("basket-lines").replaceChildren(
    ...[...state.basket].map(([productId, quantity]) => {
      const amount = el("input", { type: "number", min: "1", max: "1000000", value: quantity, ariaLabel: nameOf(productId) });
      amount.addEventListener("change", () => {
        state.basket.set(productId, Math.max(1, Math.min(1_000_000, Math.trunc(Number(amount.value)) || 1)));
        showBasket();
      });
      const out = el("button", { type: "button", textContent: "×", ariaLabel: `${t("remove")}: ${nameOf(productId)}`, onclick: () => (state.basket.delete(productId), showBasket()) });
      return el("div", { className: "basket-line" }, el("span", { textContent: nameOf(productId) }), amount, out);
    }),
  );
  const total = [...state.basket].reduce((sum, [productId, quantity]) => sum + quantity * (state.items.find((item) => item.productId === productId)?.price ?? 0), 0);
  $("order").disabled = state.basket.size === 0;
  $("order").textContent = state.basket.size === 0 ? t("emptyBasket") : `${t("order")} · ${won(total)}`;
}

function showOrders() {
  const orders = [...state.orders.values()].sort((one, other) => (one.orderId < other.orderId ? 1 : -1));
  if (orders.length === 0) return void $("order-list").replaceChildren(el("li", { className: "empty", textContent: t("noOrders") }));
  $("order-list").replaceChildren(...orders.map(orderCard));
}

function orderCard(order) {
  const { orderId, customerId, status, items, totalAmount, progress, history, reason } = order;
  const canCancel = STEPS.indexOf(status) >= 0 && STEPS.indexOf(status) < 3;
  const card = el("li", { className: `order is-${status}${order.isNew ? " is-new" : ""}` },
    el("div", { className: "order-head" },
      el("span", { className: "chip", textContent: t("status")[status] + (reason ? ` · ${t("reason")[reason] ?? reason}` : "") }),
      totalAmount >= VIP_FROM_WON && el("span", { className: "vip", textContent: "VIP" }),
      el("span", { textContent: customerId }), el("code", { textContent: shortId(orderId), title: orderId }),
      el("span", { className: "sum", textContent: won(totalAmount) })),
    el("div", { className: "what", textContent: items.map((line) => `${nameOf(line.productId)} × ${line.quantity}`).join(", ") }),
    el("div", { className: "order-foot" },
      el("progress", { max: 100, value: status === "cancelled" ? 100 : progress, ariaLabel: t("status")[status], title: history.map((step) => `${time(step.at)} ${t("status")[step.status]}`).join("\n") }),
      el("small", { textContent: status === "cancelled" ? time(history.at(-1).at) : `${progress} %` }),
      canCancel && el("button", { type: "button", textContent: t("cancel"), onclick: () => cancel(orderId) })));
  delete order.isNew;
  return card;
}

const VIEWS = {
  stock: () => state.items.map((item) => state.stock.get(item.productId)).filter(Boolean).map(stockRow),
  notifications: () => state.notes.map((note) => row(t("status")[note.step], time(note.at), (t("told")[note.step] ?? note.text).replace("{order}", shortId(note.orderId)))),
  invoices: () => state.invoices.map((invoice) => row(`${invoice.invoiceId} · ${won(invoice.totalAmount)}`, time(invoice.issuedAt), invoice.items.map((line) => `${nameOf(line.productId)} × ${line.quantity}`).join(", "))),
  failures: () => state.letters.map(letterRow),
};
const EMPTY = { stock: "noOrders", notifications: "noNotifications", invoices: "noInvoices", failures: "noFailures" };

function showTab() {
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

const row = (head, side, text) => el("div", { className: "row" }, el("div", { className: "row-head" }, el("b", { textContent: head }), el("small", { textContent: side })), el("div", { textContent: text }));

function stockRow({ productId, onHand, reserved, sold }) {
  const bar = el("div", { className: "bar", ariaHidden: "true" });
  const all = Math.max(1, onHand + reserved + sold);
  for (const [kind, count] of [["free", onHand], ["held", reserved], ["gone", sold]]) {
    const part = el("i", { className: kind });
    part.style.width = `${(count / all) * 100}%`;
    bar.append(part);
  }
  return el("div", { className: "row" }, el("b", { textContent: nameOf(productId) }), bar,
    el("small", { textContent: `${onHand} ${t("onHand")} · ${reserved} ${t("reserved")} · ${sold} ${t("sold")}` }));
}

function letterRow({ id, contract, service, code, reason, attempts, at }) {
  return el("div", { className: "row" },
    el("div", { className: "row-head" }, el("b", { textContent: `${contract} → ${service}` }), el("small", { textContent: time(at) })),
    el("div", { className: "code", textContent: code }), el("div", { textContent: reason }),
    el("small", { textContent: language.value === "ko" ? `${attempts}${t("attempts")}` : `${attempts} ${t("attempts")}` }), el("br"),
    el("button", { type: "button", textContent: t("redrive"), onclick: (event) => redrive(id, event.currentTarget) }));
}

let toastTimer;
function say(text, isBad = false) {
  clearTimeout(toastTimer);
  Object.assign($("toast"), { textContent: text, hidden: false, className: `toast${isBad ? " is-bad" : ""}` });
  toastTimer = setTimeout(() => ($("toast").hidden = true), 4_000);
}

// ── what is done ────────────────────────────────────────────────────────────────────────────────────────────────────

const newKey = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
let orderKey = newKey(); // kept until the order is accepted: pressing again after a lost answer makes no second order

async function order(event) {
  event.preventDefault();
  $("order").disabled = true;
  try {
    const items = [...state.basket].map(([productId, quantity]) => ({ productId, quantity }));
    await call("POST", "/orders", { customerId: state.customer, items }, { "idempotency-key": orderKey });
    state.basket.clear();
    say(t("accepted"));
    orderKey = newKey();
  } catch (error) {
    say(error.message, true);
    if (!(error instanceof TypeError)) orderKey = newKey();
  }
  showBasket();
}

async function cancel(orderId) {
  try {
    await call("POST", `/orders/${orderId}/cancel`);
    say(t("cancelAccepted"));
  } catch (error) {
    say(error.message, true);
  }
}

async function redrive(id, button) {
  button.disabled = true;
  try {
    await call("POST", `/dead-letters/${encodeURIComponent(id)}/redrive`);
    say(t("redriven"));
  } catch (error) {
    say(error.message, true);
  }
  askLetters();
}

function setLanguage(to) {
  language.value = to in TEXTS ? to : "en";
  document.documentElement.lang = language.value;
  for (const node of document.querySelectorAll("[data-text]")) node.textContent = t(node.dataset.text);
  for (const button of document.querySelectorAll("[data-language]")) button.setAttribute("aria-pressed", String(button.dataset.language === language.value));
  showLive($("live").classList.contains("is-on"));
  showNumbers();
  showProducts();
  showOrders();
  showTab();
}

function setScope(to) {
  state.scope = to;
  for (const button of $("scope").children) button.setAttribute("aria-pressed", String(button.dataset.scope === to));
  loadOrders().catch(() => undefined);
}

const stored = (name, fallback) => localStorage.getItem(`postrider-shop-${name}`) ?? fallback;
const store = (name, value) => localStorage.setItem(`postrider-shop-${name}`, value);

state.customer = stored("customer", "minji");
$("customer").value = state.customer;
$("customer").addEventListener("change", () => {
  state.customer = $("customer").value.trim() || "minji";
  $("customer").value = state.customer;
  store("customer", state.customer);
  askPapers();
  if (state.scope === "mine") loadOrders().catch(() => undefined);
});
$("basket").addEventListener("submit", order);
for (const button of document.querySelectorAll("[data-language]")) button.addEventListener("click", () => (store("language", button.dataset.language), setLanguage(button.dataset.language)));
for (const button of $("scope").children) button.addEventListener("click", () => setScope(button.dataset.scope));
for (const button of $("tabs").children) button.addEventListener("click", () => ((state.tab = button.dataset.tab), showTab()));
$("tabs").addEventListener("keydown", (event) => {
  const tabs = [...$("tabs").children];
  const move = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (move === undefined) return;
  const next = tabs[(tabs.findIndex((tab) => tab.dataset.tab === state.tab) + move + tabs.length) % tabs.length];
  state.tab = next.dataset.tab;
  showTab();
  next.focus();
});

const asked = new URLSearchParams(location.search).get("lang");
setLanguage(asked ?? stored("language", document.documentElement.lang));
setScope("all");
load();
listen();
