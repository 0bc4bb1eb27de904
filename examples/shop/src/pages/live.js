import { call, soon, state } from "./page.js";
import { showLive, showNumbers, showOrders, showProducts, showTab } from "./show.js";

const PROGRESS = { pending: 10, reserved: 30, paid: 50, shipped: 75, delivered: 100 };
const MOST_ORDERS = 40;

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
export const askLetters = soon(async () => {
  state.letters = (await call("GET", "/dead-letters")).items;
  showTab();
}, 400);
export const askPapers = soon(async () => {
  const query = `?customerId=${encodeURIComponent(state.customer)}&limit=50`;
  const [notes, invoices] = await Promise.all([call("GET", `/notifications${query}`), call("GET", `/invoices${query}`)]);
  state.notes = notes.items;
  state.invoices = invoices.items;
  showTab();
}, 400);

export async function loadOrders() {
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
    state.orders = new Map(
      [[orderId, { ...fetched, isNew: true }], ...[...state.orders].filter(([id]) => id !== orderId)].slice(0, MOST_ORDERS),
    );
  } else if (!order.history.some((step) => step.status === status)) {
    Object.assign(order, {
      status,
      progress: Math.max(order.progress, PROGRESS[status] ?? 0),
      history: [...order.history, { status, at }],
    });
    if (status === "cancelled") order.reason = (await call("GET", `/orders/${orderId}`).catch(() => order)).reason;
  }
  showOrders();
  if (state.orders.get(orderId)?.customerId === state.customer) askPapers();
}

const steps = { waiting: [], isRunning: false };

/** Takes steps one after another: a fetch that answers late must not undo what came after it. Too many at once: the list is fetched instead. */
async function takeInTurn(step) {
  steps.waiting.push(step);
  if (steps.isRunning) return;
  steps.isRunning = true;
  while (steps.waiting.length > 0) {
    if (steps.waiting.length > MOST_ORDERS) {
      steps.waiting.length = 0;
      await loadOrders().catch(() => undefined);
    } else await takeStep(steps.waiting.shift()).catch(() => undefined);
  }
  steps.isRunning = false;
}

export function load() {
  loadOrders().catch(() => undefined);
  [askStock, askSums, askLetters, askPapers].forEach((ask) => ask());
}

export function listen() {
  const source = new EventSource("/orders/stream");
  source.addEventListener("open", () => {
    showLive(true);
    load(); // what happened before, or while we were away
  });
  source.addEventListener("error", () => showLive(false));
  source.addEventListener("message", (event) => {
    void takeInTurn(JSON.parse(event.data));
    askStock();
    askSums();
  });
  setInterval(askLetters, 3_000);
  setInterval(askSums, 5_000);
}
