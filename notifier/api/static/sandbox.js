"use strict";

const PAGE = 50;
const POLL_MS = 1500;
const NAMES = { email: "Email", sms: "SMS", in_app: "In-app" };
// No mail program shows or heeds these.
const UNSHOWN = "link, base, meta[http-equiv], iframe, frame, object, embed, template";

const list = document.getElementById("list");
const pane = document.getElementById("message");
const state = document.getElementById("state");

let type = "";
let words = "";
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
  if (words) query.set("words", words);
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
  button.addEventListener("click", () => choose(item));
  entry.append(button);
  return entry;
}

function field(label, value) {
  const pair = element("div");
  pair.append(element("dt", "", label), element("dd", "", value));
  return pair;
}

// The page's policy holds in the frame too, but says nothing of connecting and looking names up
// ahead of time, nor of what is only read from a page's head.
function quiet(html) {
  const page = new DOMParser().parseFromString(html, "text/html");
  for (const each of page.querySelectorAll(UNSHOWN)) each.remove();
  const off = page.createElement("meta");
  off.httpEquiv = "x-dns-prefetch-control";
  off.content = "off";
  page.head.prepend(off);
  return `<!doctype html>${page.documentElement.outerHTML}`;
}

function mailFrame(html) {
  const frame = element("iframe");
  frame.setAttribute("sandbox", "");
  frame.setAttribute("referrerpolicy", "no-referrer");
  frame.title = "The mail as HTML";
  frame.srcdoc = quiet(html);
  return frame;
}

function folded(title, content) {
  const made = element("details");
  made.append(element("summary", "", title), content);
  return made;
}

function headersOf(source) {
  const head = source.split("\r\n\r\n", 1)[0].replace(/\r\n[ \t]+/g, " ");
  const table = element("table");
  for (const line of head.split("\r\n")) {
    const at = line.indexOf(":");
    const row = element("tr");
    const name = element("th", "", line.slice(0, at));
    name.scope = "row";
    row.append(name, element("td", "", line.slice(at + 1).trim()));
    table.append(row);
  }
  return table;
}

function scrolling(pre, label) {
  pre.tabIndex = 0;
  pre.setAttribute("role", "region");
  pre.setAttribute("aria-label", label);
  return pre;
}

function sourceOf(item, source) {
  const kept = new Blob([source]).size;
  const label = kept < item.size ? `Source, the first ${bytes(kept)} of ${bytes(item.size)}` : `Source, ${bytes(item.size)}`;
  return folded(label, scrolling(element("pre", "text", source), "The source of the mail"));
}

function filesOf(files) {
  const made = element("ul", "files");
  for (const file of files) made.append(element("li", "", `${file.name} (${file.type}, ${bytes(file.size)})`));
  return made;
}

function bytes(size) {
  return size < 1000 ? `${size} bytes` : `${(size / 1000).toFixed(1)} kB`;
}

function body(item) {
  const parts = element("div", "parts");
  if (item.sensitive) {
    parts.append(element("p", "secret", "This notification is sensitive. Its content is never shown."));
    return parts;
  }
  if (item.html) parts.append(element("h3", "", "HTML"), mailFrame(item.html));
  if (item.html && /<img[^>]+src\s*=\s*["']?(https?:|cid:|\/\/)/i.test(item.html)) {
    parts.append(element("p", "hint", "Images that do not come within the HTML are not loaded here."));
  }
  if (item.html) parts.append(element("h3", "", "Text"));
  parts.append(element(item.type === "sms" ? "p" : "pre", `text ${item.type}`, item.text));
  if (item.files.length) parts.append(element("h3", "", "Attachments"), filesOf(item.files));
  return parts;
}

function example() {
  const url = new URL("api/v1/notifications/send", document.baseURI);
  return `curl -s ${url.href} \\
  -H "Authorization: Bearer $(cat .notifier/api-key)" \\
  -H 'Content-Type: application/json' \\
  -d '{"type": "email", "recipient": "ada@example.com", "subject": "Hello", "content": "It works."}'`;
}

function copying(text) {
  const row = element("div", "copied");
  const button = element("button", "", "Copy");
  const told = element("span", "hint");
  told.setAttribute("role", "status");
  button.type = "button";
  button.addEventListener("click", () => {
    const done = navigator.clipboard ? navigator.clipboard.writeText(text) : Promise.reject();
    done.then(() => { told.textContent = "Copied."; }, () => { told.textContent = "Select the line and copy it."; });
  });
  row.append(button, told);
  return row;
}

function renderNothing() {
  if (items.length) {
    pane.append(element("p", "empty", "Choose a message."));
  } else if (words || type) {
    pane.append(element("p", "empty", "No message is like that."));
  } else {
    const first = element("div", "first");
    first.append(element("h2", "", "Nothing was sent yet"));
    first.append(element("p", "", "Paste this where ./scripts/run is running, and a mail appears here:"));
    first.append(scrolling(element("pre", "text", example()), "A command that sends a mail"), copying(example()));
    pane.append(first);
  }
}

function factsOf(item) {
  const facts = element("dl");
  facts.append(field("To", item.recipient), field("Service", item.service));
  facts.append(field("Captured", new Date(item.captured_at).toLocaleString()));
  if (item.segments) facts.append(field("Messages on a network", `${item.segments} in ${item.encoding}`));
  if (item.size) facts.append(field("Size", bytes(item.size)));
  if (item.action_url) facts.append(field("Leads to", item.action_url));
  facts.append(field("Attempt", String(item.attempt)), field("Id", item.id));
  return facts;
}

function renderMessage() {
  pane.replaceChildren();
  pane.scrollTop = 0;
  if (!chosen) {
    renderNothing();
    return;
  }
  const heading = chosen.sensitive ? "Sensitive" : chosen.subject || NAMES[chosen.type] || chosen.type;
  const facts = factsOf(chosen);
  pane.append(element("h2", "", heading), facts, body(chosen));
  renderRest(chosen, facts).catch(() => {});
}

// What is only told of one message: its template, and the mail as a server would get it.
async function renderRest(item, facts) {
  const whole = await fetchPage(`api/v1/sandbox/messages/${item.seq}`);
  if (item !== chosen) return;
  const of = whole.template;
  if (of) facts.append(field("Template", `${of.name}, version ${of.version}, ${of.locale}`));
  if (!whole.source) return;
  pane.append(folded("Headers", headersOf(whole.source)), sourceOf(item, whole.source));
}

function choose(item) {
  chosen = item;
  if (item) history.replaceState(null, "", `#${item.seq}`);
  render();
}

// A link leads to one message: #42 is the one whose seq is 42.
async function followLink() {
  const seq = /^#(\d{1,18})$/.exec(location.hash)?.[1];
  if (!seq || (chosen && String(chosen.seq) === seq)) return;
  try {
    chosen = (await fetchPage(`api/v1/sandbox/messages/${seq}`)).message;
  } catch {
    tell("There is no message of this link.", "away");
    return;
  }
  render();
}

function tell(text, className) {
  if (state.textContent !== text) state.textContent = text;
  state.className = className;
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
  const wanted = firstPage();
  const page = await fetchPage(wanted);
  if (wanted !== firstPage()) return;
  const newest = items.length ? items[0].seq : -1;
  const fresh = page.items.filter((item) => item.seq > newest);
  tell("Live", "live");
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
  if (!items.length && !pane.hasChildNodes()) renderMessage();
}

async function follow() {
  try {
    if (!document.hidden) await reload();
  } catch (error) {
    tell(`Not connected: ${error.message}`, "away");
  }
  setTimeout(follow, POLL_MS);
}

function startAnew() {
  items = [];
  older = null;
  chosen = null;
  list.replaceChildren();
  pane.replaceChildren();
  reload().catch(() => {});
}

for (const button of document.querySelectorAll("nav button")) {
  button.addEventListener("click", () => {
    type = button.dataset.type;
    for (const each of document.querySelectorAll("nav button")) {
      each.setAttribute("aria-pressed", String(each === button));
    }
    startAnew();
  });
}

let typing = 0;
document.getElementById("words").addEventListener("input", (event) => {
  clearTimeout(typing);
  typing = setTimeout(() => {
    words = event.target.value.trim();
    startAnew();
  }, 250);
});

list.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  const buttons = [...list.querySelectorAll("button")];
  const next = buttons[buttons.indexOf(document.activeElement) + step];
  if (!next) return;
  event.preventDefault();
  next.focus();
});

window.addEventListener("hashchange", followLink);
followLink().finally(follow);
