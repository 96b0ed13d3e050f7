/* <notifier-inbox>: a bell, and the inbox behind it; see docs/inbox.md. What a notification says is
	 shown as text; its html is never used. */

const TEXTS = {
	en: {
		title: "Notifications", bell: (n) => (n ? `Notifications, ${n} new` : "Notifications"),
		inbox: "Inbox", snoozed: "Snoozed", archived: "Archived", parts: "Show", close: "Close",
		readAll: "Mark all as read", read: "Mark as read", unread: "Mark as unread", isUnread: "Unread: ",
		archive: "Archive", snooze: "Snooze", back: "Move to inbox",
		hour: "For an hour", tomorrow: "Until tomorrow", week: "For a week", until: (t) => `Back ${t}`,
		more: "Show more", empty: "Nothing here.", loading: "Loading …", retry: "Try again",
		offline: "Offline. What is shown may be old.", failed: "That did not work.",
		unavailable: "Notifications cannot be shown now.", arrived: (t) => `New: ${t}`, now: "just now",
	},
	de: {
		title: "Mitteilungen", bell: (n) => (n ? `Mitteilungen, ${n} neue` : "Mitteilungen"),
		inbox: "Eingang", snoozed: "Später", archived: "Archiv", parts: "Anzeigen", close: "Schließen",
		readAll: "Alle als gelesen markieren", read: "Als gelesen markieren",
		unread: "Als ungelesen markieren", isUnread: "Ungelesen: ",
		archive: "Archivieren", snooze: "Später", back: "In den Eingang",
		hour: "In einer Stunde", tomorrow: "Morgen", week: "In einer Woche", until: (t) => `Wieder ${t}`,
		more: "Mehr anzeigen", empty: "Hier ist nichts.", loading: "Lädt …", retry: "Noch einmal",
		offline: "Offline. Was hier steht, ist vielleicht alt.", failed: "Das ging nicht.",
		unavailable: "Mitteilungen können gerade nicht gezeigt werden.", arrived: (t) => `Neu: ${t}`,
		now: "gerade eben",
	},
};

const STYLE = `
:host{--_surface:var(--notifier-surface,light-dark(#fff,#171a21));--_text:var(--notifier-text,light-dark(#16181d,#e8eaf0));--_muted:var(--notifier-muted,light-dark(#5b6475,#a3adbd));--_line:var(--notifier-border,light-dark(#d5dae2,#363c49));--_accent:var(--notifier-accent,light-dark(#4338ca,#a5b4fc));--_tint:var(--notifier-tint,light-dark(#f1f2ff,#20233a));--_radius:var(--notifier-radius,12px);position:relative;display:inline-block;color:var(--_text);font:var(--notifier-font,15px/1.45 system-ui,sans-serif);text-align:start}
:host([hidden]),[hidden]{display:none!important}
*{box-sizing:border-box}
button{font:inherit;color:inherit;background:none;border:0;padding:0;cursor:pointer;text-align:start}
:focus-visible{outline:2px solid var(--_accent);outline-offset:1px}
.bell{position:relative;display:grid;place-items:center;width:44px;height:44px;border-radius:50%}
.bell:hover,.action:hover,.tab:hover{background:var(--_tint)}
.bell svg{width:24px;height:24px;fill:none;stroke:currentColor;stroke-width:1.8}
.badge{position:absolute;top:2px;inset-inline-end:0;min-width:20px;padding:0 5px;border-radius:10px;background:var(--notifier-badge,#b42318);color:#fff;font-size:12px;font-weight:700;line-height:20px;text-align:center}
.panel{position:absolute;z-index:1000;inset-inline-end:0;top:calc(100% + 6px);width:min(26rem,100vw - 1rem);max-height:min(36rem,80vh);display:flex;flex-direction:column;overflow:hidden;background:var(--_surface);border:1px solid var(--_line);border-radius:var(--_radius);box-shadow:0 12px 32px #0003}
.panel.start{inset-inline:0 auto}
.head{display:flex;align-items:center;gap:.5rem;padding:.6rem .6rem .2rem 1rem}
h2{flex:1;margin:0;font-size:1.1em}
.tabs{display:flex;flex-wrap:wrap;gap:.25rem;padding:.2rem .6rem .5rem;border-bottom:1px solid var(--_line)}
.tab,.action{min-height:28px;padding:.15rem .55rem;border-radius:99px;font-size:.87em;color:var(--_muted)}
.tab[aria-pressed="true"]{color:var(--_accent);background:var(--_tint);font-weight:600}
.action{color:var(--_accent)}
.close{display:grid;place-items:center;width:32px;height:32px;font-size:1.3em}
.scroll{overflow-y:auto;flex:1}
ul{margin:0;padding:0;list-style:none}
li{padding:.6rem 1rem .4rem;border-bottom:1px solid var(--_line);border-inline-start:3px solid transparent}
li.unread{border-inline-start-color:var(--_accent);background:var(--_tint)}
.main{display:block;width:100%;color:inherit;text-decoration:none}
.top{display:flex;gap:.6rem}
.subject{flex:1;min-width:0;overflow-wrap:anywhere}
.unread .subject{font-weight:650}
a.main:hover .subject{text-decoration:underline}
.text{display:-webkit-box;-webkit-box-orient:vertical;-webkit-line-clamp:4;overflow:hidden;white-space:pre-line;overflow-wrap:anywhere;color:var(--_muted)}
time{font-size:.82em;color:var(--_muted);white-space:nowrap}
.actions{display:flex;flex-wrap:wrap;gap:.1rem;margin-inline-start:-.55rem}
.choices{flex-basis:100%}
.note{margin:0;padding:1.6rem 1rem;text-align:center;color:var(--_muted)}
.status{margin:0}
.status:not(:empty){padding:.45rem 1rem;font-size:.87em;background:var(--_tint);border-bottom:1px solid var(--_line)}
.more{display:block;width:100%;min-height:44px;text-align:center;color:var(--_accent)}
.heard{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
@media (max-width:32rem){.panel,.panel.start{position:fixed;inset:auto 0 0;width:auto;max-height:85vh;border-radius:var(--_radius) var(--_radius) 0 0}
.tab,.action{min-height:36px}
}`;

const BELL = ["M18 8a6 6 0 0 0-12 0c0 7-3 9-3 9h18s-3-2-3-9", "M13.7 21a2 2 0 0 1-3.4 0"];
const PARTS = ["inbox", "snoozed", "archived"];
const PAGE = 20;
const NOTHING = { unread_count: 0, unseen_count: 0, version: -1 };
const SILENT_MS = 45_000, HIDDEN_MS = 60_000, FIRST_WAIT_MS = 1_000, LONGEST_WAIT_MS = 60_000;
const MARKED = {
	read: (item) => { item.read_at = item.seen_at = new Date().toISOString(); },
	unread: (item) => { item.read_at = null; },
};
const HOME = new URL(".", import.meta.url);

function make(tag, given = {}, ...children) {
	const node = document.createElement(tag);
	for (const [name, value] of Object.entries(given)) {
		if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
		else if (value === true) node.setAttribute(name, "");
		else if (value !== false && value != null) node.setAttribute(name, value);
	}
	if (given.class && !given.part) node.setAttribute("part", given.class);
	node.append(...children.filter((child) => child != null && child !== ""));
	return node;
}

const button = (given, ...children) => make("button", { type: "button", ...given }, ...children);

function bell() {
	const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
	svg.setAttribute("viewBox", "0 0 24 24");
	svg.setAttribute("aria-hidden", "true");
	for (const d of BELL) {
		const path = document.createElementNS(svg.namespaceURI, "path");
		path.setAttribute("d", d);
		svg.append(path);
	}
	return svg;
}

/** Where a notification may lead: an https address, or a path of this very page's origin. */
function destination(url) {
	if (!url) return null;
	try {
		const isPath = url.startsWith("/");
		const target = isPath ? new URL(url, location.origin) : new URL(url);
		const isFit = isPath ? target.origin === location.origin : target.protocol === "https:";
		return isFit ? target.href : null;
	} catch {
		return null;
	}
}

class Refused extends Error {
	constructor(status, code, retryAfterS) {
		super(code);
		Object.assign(this, { status, code, retryAfterS });
	}
}

class NotifierInbox extends HTMLElement {
	static observedAttributes = ["url", "recipient", "lang"];

	#getToken = null;
	#texts = {};
	#token = null;
	#asking = null;
	#items = [];
	#part = "inbox";
	#wanted = PAGE;
	#hasMore = false;
	#counts = NOTHING;
	#lastId = null;
	#state = "loading";
	#message = "";
	#snoozing = null;
	#waitMs = FIRST_WAIT_MS;
	#life = null;
	#stream = null;
	#wake = null;
	#hidden = null;
	#loads = 0;
	#loaded = 0;
	#parts = {};

	constructor() {
		super();
		const sheet = new CSSStyleSheet();
		sheet.replaceSync(STYLE);
		this.attachShadow({ mode: "open" }).adoptedStyleSheets = [sheet];
		this.#build();
	}

	/** Returns, or resolves to, what POST /api/v1/inbox/tokens answered with, or a token alone. */
	get getToken() { return this.#getToken; }
	set getToken(get) { this.#getToken = get; this.refresh(); }

	/** Words in place of those of the language, by the names of TEXTS. */
	get texts() { return this.#texts; }
	set texts(words) { this.#texts = { ...words }; this.#render(); }

	get open() { return !this.#parts.panel.hidden; }
	set open(value) { if (value !== this.open) this.#toggle(Boolean(value)); }

	connectedCallback() {
		for (const [name, value] of Object.entries(this)) {
			delete this[name];
			this[name] = value;
		}
		this.#life = new AbortController();
		const on = { signal: this.#life.signal };
		addEventListener("online", () => this.#restart(), on);
		addEventListener("offline", () => this.#render(), on);
		document.addEventListener("visibilitychange", () => this.#onVisibility(), on);
		document.addEventListener("pointerdown", (event) => {
			if (this.open && !event.composedPath().includes(this)) this.#toggle(false);
		}, on);
		this.#render();
		this.#follow(this.#life.signal);
	}

	disconnectedCallback() {
		this.#life.abort();
		this.#stream?.abort();
		clearTimeout(this.#hidden);
	}

	attributeChangedCallback(name, before, now) {
		if (before === now || !this.isConnected) return;
		if (name === "lang") return this.#render();
		this.refresh();
	}

	/** Ask for everything anew. */
	refresh() {
		this.#token = this.#lastId = null;
		this.#items = [];
		this.#wanted = PAGE;
		this.#counts = NOTHING;
		this.#state = "loading";
		this.#restart();
	}

	// Asking

	async #access(why) {
		if (this.#token) return this.#token;
		this.#asking ??= this.#request(why).finally(() => { this.#asking = null; });
		return (this.#token = await this.#asking);
	}

	async #request(reason) {
		let answer = null;
		const detail = { reason, respondWith: (given) => { answer = given; } };
		this.dispatchEvent(new CustomEvent("tokenrequest", { detail, bubbles: true, composed: true }));
		const given = await (answer ?? this.#getToken?.(reason));
		const { token, recipient } = given?.token ? given : { token: given };
		const whose = recipient ?? this.getAttribute("recipient");
		if (!token || !whose) throw new Refused(0, "no-token");
		return { token, recipient: whose };
	}

	async #ask(path, { method = "GET", body, headers, again = true, ...options } = {}) {
		const { token, recipient } = await this.#access(again ? "first" : "expired");
		const root = new URL(this.getAttribute("url") ?? HOME, document.baseURI).href.replace(/\/$/, "");
		const answer = await fetch(`${root}/api/v1/inbox/${encodeURIComponent(recipient)}${path}`, {
			method, credentials: "omit", cache: "no-store", ...options,
			body: body && JSON.stringify(body),
			headers: {
				Authorization: `Bearer ${token}`, ...headers,
				...(body ? { "Content-Type": "application/json" } : {}),
			},
		});
		if (answer.ok) return answer;
		const problem = await answer.json().catch(() => ({}));
		if (answer.status === 401) {
			if (this.#token?.token === token) this.#token = null;
			if (again) return this.#ask(path, { method, body, headers, again: false, ...options });
		}
		throw new Refused(answer.status, problem.code, Number(answer.headers.get("Retry-After")) || 0);
	}

	/** Ask for all that is to be shown; only the latest answer counts. */
	async #load() {
		const turn = ++this.#loads;
		const wanted = Math.max(this.#wanted, this.#items.length);
		const items = [];
		let page;
		do {
			const query = new URLSearchParams({ limit: Math.min(wanted - items.length, 200) });
			if (this.#part !== "inbox") query.set(this.#part, "true");
			if (page) query.set("after", items.at(-1).seq);
			page = await (await this.#ask(`?${query}`)).json();
			if (turn !== this.#loads) return;
			items.push(...page.items);
		} while (page.next && items.length < wanted);
		this.#loaded = turn;
		this.#items = items;
		this.#hasMore = Boolean(page.next);
		this.#state = "ready";
		this.#take(page);
	}

	#loadMore() {
		this.#wanted = this.#items.length + PAGE;
		return this.#load().catch(() => this.#say("failed"));
	}

	#take({ unread_count, unseen_count, version }) {
		this.#counts = { unread_count, unseen_count, version };
		this.#render();
		if (this.open && unseen_count && this.#part === "inbox") this.#see();
	}

	async #see() {
		this.#counts = { ...this.#counts, unseen_count: 0 };
		this.#render();
		await this.#ask("/seen", { method: "POST" }).catch(() => {});
	}

	// Following

	async #follow(life) {
		while (!life.aborted) {
			let waitMs = 500;
			try {
				this.#stream = new AbortController();
				await this.#read(this.#stream);
			} catch (error) {
				if (!life.aborted && this.#state === "loading") await this.#load().catch(() => {});
				waitMs = this.#waitFor(error);
			}
			if (life.aborted) return;
			await this.#pause(waitMs, life);
		}
	}

	#waitFor(error) {
		if (this.#stream.signal.reason === "again") return 0;
		if (this.#state !== "ready" || !(error instanceof Refused)) {
			this.#state = this.#items.length ? "ready" : "failed";
		}
		if (!(error instanceof Refused)) this.#message = "unavailable";
		this.#render();
		const waitMs = Math.max((error.retryAfterS ?? 0) * 1_000, this.#waitMs * (0.5 + Math.random()));
		this.#waitMs = Math.min(this.#waitMs * 2, LONGEST_WAIT_MS);
		return waitMs;
	}

	/** Wait, and as long as nobody looks; whoever comes back, or is online again, ends it. */
	#pause(ms, life) {
		return new Promise((resolve) => {
			const isHidden = this.#stream.signal.reason === "hidden";
			const timer = isHidden ? 0 : setTimeout(resolve, ms);
			this.#wake = () => { clearTimeout(timer); resolve(); };
			life.addEventListener("abort", this.#wake);
		});
	}

	#restart() {
		this.#waitMs = FIRST_WAIT_MS;
		this.#stream?.abort("again");
		this.#wake?.();
	}

	#onVisibility() {
		clearTimeout(this.#hidden);
		if (document.hidden) {
			this.#hidden = setTimeout(() => this.#stream?.abort("hidden"), HIDDEN_MS);
		} else if (this.#stream?.signal.aborted) {
			this.#restart();
		}
	}

	async #read(stream) {
		const headers = { Accept: "text/event-stream" };
		if (this.#lastId !== null) headers["Last-Event-ID"] = this.#lastId;
		const answer = await this.#ask("/stream", { headers, signal: stream.signal });
		const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
		let rest = "", event = {}, watchdog;
		const watch = () => {
			clearTimeout(watchdog);
			watchdog = setTimeout(() => stream.abort("silent"), SILENT_MS);
		};
		try {
			for (watch(); ; watch()) {
				const { done, value } = await reader.read();
				if (done) return;
				const lines = (rest + value).split("\n");
				rest = lines.pop();
				for (const line of lines.map((each) => each.replace(/\r$/, ""))) {
					if (line === "") {
						this.#hear(event);
						event = {};
					} else {
						const [, name, data] = /^([^:]*):? ?(.*)$/.exec(line);
						event[name] = data;
					}
				}
			}
		} finally {
			clearTimeout(watchdog);
		}
	}

	#hear({ event, id, data }) {
		if (id) this.#lastId = id;
		if (!data) return;
		const news = JSON.parse(data);
		this.#waitMs = FIRST_WAIT_MS;
		if (event === "open") this.#message = "";
		if (event === "notification") return this.#arrive(news);
		const isOld = event === "open" && this.#state === "ready" && news.version === this.#counts.version;
		this.#take(isOld ? { ...this.#counts, ...news } : news);
		if (!isOld) this.#load().catch(() => this.#say("failed"));
	}

	#arrive(item) {
		if (item.archived_at || item.snoozed_until) return;
		if (this.#loads !== this.#loaded) this.#load().catch(() => {}); // else it may be lost
		if (this.#items.some((each) => each.seq === item.seq)) return;
		const others = this.#items.filter((each) => each.id !== item.id);
		this.#items = this.#part === "inbox" ? [item, ...others] : others;
		this.#parts.heard.textContent = this.#text("arrived")(item.subject || item.text);
		this.dispatchEvent(new CustomEvent("notification", { detail: item, bubbles: true, composed: true }));
		const { unread_count, unseen_count, version } = this.#counts;
		const isUnread = item.read_at ? 0 : 1;
		this.#take({ unread_count: unread_count + isUnread, unseen_count: unseen_count + isUnread, version });
	}

	// Marking

	async #mark(item, mark, body) {
		this.#snoozing = null;
		const place = this.#items.indexOf(item);
		const leaves = !(mark in MARKED);
		if (leaves) this.#items = this.#items.filter((each) => each !== item);
		else MARKED[mark](item);
		this.#render();
		if (leaves) this.#focusAt(place);
		await this.#send(`/${item.id}/${mark}`, body);
	}

	async #send(path, body) {
		try {
			await this.#ask(path, { method: "POST", body, keepalive: true });
			this.#message = "";
		} catch {
			this.#say("failed");
		}
		await this.#load().catch(() => {});
	}

	#readAll() {
		this.#items.forEach(MARKED.read);
		this.#render();
		return this.#send("/read");
	}

	#follows(event, item) {
		const chosen = new CustomEvent("choose", { detail: item, bubbles: true, composed: true, cancelable: true });
		if (!this.dispatchEvent(chosen)) event.preventDefault();
		if (!item.read_at) this.#mark(item, "read");
	}

	#snooze(item, kind) {
		const until = new Date();
		if (kind === "hour") until.setHours(until.getHours() + 1);
		else until.setDate(until.getDate() + (kind === "week" ? 7 : 1));
		if (kind === "tomorrow") until.setHours(9, 0, 0, 0);
		return this.#mark(item, "snooze", { until: until.toISOString() });
	}

	// Showing

	get #lang() {
		return this.closest("[lang]")?.getAttribute("lang") || document.documentElement.lang || navigator.language;
	}

	#text(name) {
		return this.#texts[name] ?? (TEXTS[this.#lang.slice(0, 2).toLowerCase()] ?? TEXTS.en)[name];
	}

	#say(name) {
		this.#message = name;
		this.#render();
	}

	#build() {
		const parts = this.#parts;
		parts.badge = make("span", { class: "badge", "aria-hidden": "true" });
		parts.bell = button({
			class: "bell", "aria-haspopup": "dialog", "aria-controls": "panel",
			onclick: () => this.#toggle(!this.open),
		}, make("slot", { name: "icon" }, bell()), parts.badge);
		parts.title = make("h2", { id: "title", part: "title" });
		parts.all = button({ class: "action", onclick: () => this.#readAll() });
		parts.close = button({ class: "action close", onclick: () => this.#toggle(false) });
		parts.tabs = make("div", { class: "tabs", role: "group" });
		for (const name of PARTS) {
			parts[name] = button({ class: "tab", onclick: () => this.#show(name) });
			parts.tabs.append(parts[name]);
		}
		parts.status = make("p", { class: "status", role: "status" });
		parts.list = make("ul", { part: "list", "aria-labelledby": "title" });
		parts.note = make("p", { class: "note" });
		parts.retry = button({ class: "more", onclick: () => this.#retry() });
		parts.more = button({ class: "more", onclick: () => this.#loadMore() });
		const scroll = make("div", { class: "scroll" }, parts.list, parts.note, parts.retry, parts.more);
		const head = make("div", { class: "head", part: "header" }, parts.title, parts.all, parts.close);
		parts.panel = make("section", {
			id: "panel", class: "panel", role: "dialog", "aria-labelledby": "title",
			tabindex: "-1", hidden: true, onkeydown: (event) => this.#onKey(event),
		}, head, parts.tabs, parts.status, scroll);
		parts.heard = make("p", { class: "heard", role: "status" });
		this.shadowRoot.append(parts.bell, parts.panel, parts.heard);
	}

	#toggle(isOpen) {
		const { panel, bell } = this.#parts;
		panel.hidden = !isOpen;
		panel.classList.remove("start");
		this.#render();
		const { left, right } = panel.getBoundingClientRect();
		panel.classList.toggle("start", left < 0 || right > document.documentElement.clientWidth);
		(isOpen ? panel : bell).focus({ preventScroll: true });
		if (isOpen && this.#counts.unseen_count && this.#part === "inbox") this.#see();
	}

	#show(part) {
		this.#part = part;
		this.#items = [];
		this.#wanted = PAGE;
		this.#hasMore = false;
		this.#state = "loading";
		this.#render();
		this.#load().catch(() => { this.#state = "failed"; this.#render(); });
	}

	#retry() {
		this.#restart();
		this.#show(this.#part);
	}

	#onKey(event) {
		if (event.key === "Escape") {
			event.stopPropagation();
			if (this.#snoozing === null) return this.#toggle(false);
			this.#snoozing = null;
			return this.#render();
		}
		const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
		if (!step || event.altKey || event.ctrlKey || event.metaKey) return;
		event.preventDefault();
		const at = this.#items.findIndex((item) => item.id === this.shadowRoot.activeElement?.closest("li")?.dataset.id);
		this.#focusAt(Math.max(at + step, 0));
	}

	#focusAt(place) {
		const mains = this.#parts.list.querySelectorAll(".main");
		(mains[Math.min(place, mains.length - 1)] ?? this.#parts.panel).focus();
	}

	#render() {
		const { bell, badge, panel, title, all, close, tabs, status, list, note, retry, more } = this.#parts;
		const t = (name) => this.#text(name);
		const unseen = this.#counts.unseen_count;
		badge.textContent = unseen > 99 ? "99+" : String(unseen);
		badge.hidden = !unseen;
		bell.setAttribute("aria-label", t("bell")(unseen));
		bell.setAttribute("aria-expanded", String(this.open));
		title.textContent = t("title");
		all.textContent = t("readAll");
		all.hidden = this.#part !== "inbox" || !this.#counts.unread_count;
		close.textContent = "×";
		close.setAttribute("aria-label", t("close"));
		tabs.setAttribute("aria-label", t("parts"));
		for (const name of PARTS) {
			this.#parts[name].textContent = t(name);
			this.#parts[name].setAttribute("aria-pressed", String(name === this.#part));
		}
		const told = navigator.onLine ? this.#message && t(this.#message) : t("offline");
		if (status.textContent !== told) status.textContent = told;
		if (!panel.hidden) this.#renderList(list);
		note.textContent = t({ loading: "loading", failed: "unavailable", ready: "empty" }[this.#state]);
		note.hidden = this.#items.length > 0;
		retry.textContent = t("retry");
		retry.hidden = this.#state !== "failed";
		more.textContent = t("more");
		more.hidden = !this.#hasMore;
	}

	/** Show the items, with the focus where it was. */
	#renderList(list) {
		const focused = this.shadowRoot.activeElement;
		const id = focused?.closest("li")?.dataset.id, name = focused?.dataset.name;
		list.replaceChildren(...this.#items.map((item) => this.#row(item)));
		list.hidden = !this.#items.length;
		if (!id) return;
		const row = [...list.children].find((each) => each.dataset.id === id);
		const found = row && [...row.querySelectorAll("[data-name]")].find((each) => each.dataset.name === name);
		(found ?? row?.querySelector(".main") ?? this.#parts.panel).focus({ preventScroll: true });
	}

	#row(item) {
		const t = (name) => this.#text(name);
		const isUnread = !item.read_at && this.#part === "inbox";
		const href = destination(item.action_url);
		const content = [
			make("span", { class: "top" },
				make("span", { class: "subject", part: "item-title", dir: "auto" },
					isUnread ? make("span", { class: "heard" }, t("isUnread")) : "", item.subject || item.text),
				this.#time(item)),
			item.subject ? make("span", { class: "text", part: "item-text", dir: "auto" }, item.text) : "",
		];
		const given = { class: "main", "data-name": "main", onclick: (event) => this.#follows(event, item) };
		const main = href
			? make("a", { ...given, href, rel: "noreferrer", target: this.getAttribute("target") }, ...content)
			: button(given, ...content);
		return make("li", { class: isUnread && "unread", part: isUnread ? "item item-unread" : "item", "data-id": item.id },
			main, this.#actions(item));
	}

	#actions(item) {
		const action = (name, run, more = {}) => button({
			class: "action", "data-name": name, onclick: run, ...more,
		}, this.#text(name));
		const row = make("div", { class: "actions", part: "actions" });
		const back = { archived: "unarchive", snoozed: "unsnooze" }[this.#part];
		if (back) row.append(action("back", () => this.#mark(item, back)));
		else {
			const read = item.read_at ? "unread" : "read";
			const isSnoozing = this.#snoozing === item.id;
			row.append(
				action(read, () => this.#mark(item, read)),
				action("snooze", () => { this.#snoozing = isSnoozing ? null : item.id; this.#render(); },
					{ "aria-expanded": String(isSnoozing) }),
				action("archive", () => this.#mark(item, "archive")));
			const choice = (kind) => action(kind, () => this.#snooze(item, kind));
			if (isSnoozing) row.append(make("div", { class: "choices" }, ...["hour", "tomorrow", "week"].map(choice)));
		}
		return row;
	}

	#time({ created_at, snoozed_until }) {
		const at = new Date(snoozed_until ?? created_at);
		const seconds = (at - Date.now()) / 1_000;
		const [unit, size] = [["day", 86_400], ["hour", 3_600], ["minute", 60]]
			.find(([, length]) => Math.abs(seconds) >= length) ?? [];
		const relative = new Intl.RelativeTimeFormat(this.#lang, { numeric: "auto" });
		const words = unit ? relative.format(Math.round(seconds / size), unit) : this.#text("now");
		const title = at.toLocaleString(this.#lang, { dateStyle: "medium", timeStyle: "short" });
		return make("time", { datetime: at.toISOString(), title, part: "item-time" },
			snoozed_until ? this.#text("until")(words) : words);
	}
}

customElements.get("notifier-inbox") ?? customElements.define("notifier-inbox", NotifierInbox);
