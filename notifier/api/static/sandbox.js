"use strict";

const PAGE = 50;
const POLL_MS = 1500;
const NAMES = { email: "Email", sms: "SMS", in_app: "In-app" };

const list = document.getElementById("list");
const pane = document.getElementById("message");
const state = document.getElementById("state");

let type = "";
let items = [];
let older = null;
let chosen = null;

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined && text !== null) made.textContent = text;
  return made;
}

function clock(at) {
  return new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

function preview(item) {
  if (item.sensitive) return "Sensitive: its content is not shown";
  return item.subject || (item.text || "").slice(0, 120);
}

async function fetchPage(path) {
  const response = await fetch(path, { headers: { Accept: "application/json" } });
  if (!response.ok) throw new Error(`notifier answered ${response.status}`);
  return response.json();
}

function firstPage() {
  const query = new URLSearchParams({ limit: String(PAGE) });
  if (type) query.set("type", type);
  return `api/v1/sandbox/messages?${query}`;
}

function row(item) {
  const entry = element("li");
  const button = element("button", "row");
  button.type = "button";
  button.dataset.key = String(item.seq);
  button.setAttribute("aria-current", String(chosen !== null && item.seq === chosen.seq));
  const top = element("span", "top");
  top.append(element("span", `badge ${item.type}`, NAMES[item.type] || item.type));
  top.append(element("span", "recipient", item.recipient));
  top.append(element("time", "", clock(item.captured_at)));
  button.append(top, element("span", "preview", preview(item)));
  button.addEventListener("click", () => { chosen = item; render(); });
  entry.append(button);
  return entry;
}

function field(label, value) {
  const pair = element("div");
  pair.append(element("dt", "", label), element("dd", "", value));
  return pair;
}

function mailFrame(html) {
  const frame = element("iframe");
  frame.setAttribute("sandbox", "");
  frame.setAttribute("referrerpolicy", "no-referrer");
  frame.title = "The mail as HTML";
  frame.srcdoc = html;
  return frame;
}

function body(item) {
  const parts = element("div", "parts");
  if (item.sensitive) {
    parts.append(element("p", "secret", "This notification is sensitive. Its content is never shown."));
    return parts;
  }
  if (item.html) parts.append(element("h3", "", "HTML"), mailFrame(item.html));
  if (item.html && /<img[^>]+src\s*=\s*["']?(https?:)?\/\//i.test(item.html)) {
    parts.append(element("p", "hint", "Images from elsewhere are not loaded here."));
  }
  if (item.html) parts.append(element("h3", "", "Text"));
  parts.append(element(item.type === "sms" ? "p" : "pre", `text ${item.type}`, item.text));
  return parts;
}

function renderMessage() {
  pane.replaceChildren();
  if (!chosen) {
    pane.append(element("p", "empty", items.length ? "Choose a message." : "Send a notification and it appears here."));
    return;
  }
  const facts = element("dl");
  facts.append(field("To", chosen.recipient), field("Service", chosen.service));
  facts.append(field("Captured", new Date(chosen.captured_at).toLocaleString()));
  facts.append(field("Attempt", String(chosen.attempt)), field("Id", chosen.id));
  if (chosen.action_url) facts.append(field("Leads to", chosen.action_url));
  const heading = chosen.sensitive ? "Sensitive" : chosen.subject || NAMES[chosen.type] || chosen.type;
  pane.append(element("h2", "", heading), facts, body(chosen));
}

function renderList() {
  // The rows are made anew, and the focus is to stay on the one that had it.
  const focused = list.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  const top = list.scrollTop;
  list.replaceChildren(...items.map(row));
  if (older) {
    const more = element("li");
    const button = element("button", "more", "Older messages");
    button.type = "button";
    button.dataset.key = "older";
    button.addEventListener("click", loadOlder);
    more.append(button);
    list.append(more);
  }
  list.scrollTop = top;
  if (focused) focus(focused);
}

function focus(key) {
  const button = list.querySelector(`button[data-key="${key}"]`);
  if (button) button.focus({ preventScroll: true });
}

function render() {
  renderList();
  renderMessage();
}

async function loadOlder() {
  const page = await fetchPage(older.replace(/^\//, ""));
  items = items.concat(page.items);
  older = page.next;
  renderList();
  if (page.items.length) focus(String(page.items[0].seq));
}

async function reload() {
  const wanted = type;
  const page = await fetchPage(firstPage());
  if (wanted !== type) return;
  const newest = items.length ? items[0].seq : -1;
  const fresh = page.items.filter((item) => item.seq > newest);
  state.textContent = "Live";
  state.className = "live";
  if (items.length && !fresh.length) return;
  if (items.length && fresh.length < page.items.length) {
    items = fresh.concat(items);
  } else {
    items = page.items;
    older = page.next;
  }
  if (!chosen && items.length) {
    chosen = items[0];
    renderMessage();
  }
  renderList();
  if (!items.length) renderMessage();
}

async function follow() {
  try {
    if (!document.hidden) await reload();
  } catch (error) {
    state.textContent = `Not connected: ${error.message}`;
    state.className = "away";
  }
  setTimeout(follow, POLL_MS);
}

for (const button of document.querySelectorAll("nav button")) {
  button.addEventListener("click", () => {
    type = button.dataset.type;
    for (const each of document.querySelectorAll("nav button")) {
      each.setAttribute("aria-pressed", String(each === button));
    }
    items = [];
    older = null;
    chosen = null;
    render();
    reload().catch(() => {});
  });
}

follow();
