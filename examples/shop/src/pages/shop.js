import { askLetters, askPapers, listen, load, loadOrders } from "./live.js";
import { $, call, language, say, state, t } from "./page.js";
import { actions, showBasket, showLive, showNumbers, showOrders, showProducts, showTab } from "./show.js";
import { TEXTS } from "./texts.js";

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
  for (const button of document.querySelectorAll("[data-language]"))
    button.setAttribute("aria-pressed", String(button.dataset.language === language.value));
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
$("basket").addEventListener("submit", (event) => void order(event));
for (const button of document.querySelectorAll("[data-language]"))
  button.addEventListener("click", () => (store("language", button.dataset.language), setLanguage(button.dataset.language)));
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

Object.assign(actions, { cancel, redrive });
const asked = new URLSearchParams(location.search).get("lang");
setLanguage(asked ?? stored("language", document.documentElement.lang));
setScope("all");
load();
listen();
