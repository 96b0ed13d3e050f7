"use strict";

const root = new URL("..", import.meta.url);
const inbox = document.querySelector("notifier-inbox");
const [who, what] = ["who", "what"].map((id) => document.getElementById(id));
const state = document.getElementById("state");

async function post(path, body) {
  const answer = await fetch(new URL(path, root), {
    method: "POST",
    headers: { Authorization: `Bearer ${who.elements.key.value}`, "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const told = await answer.json();
  if (!answer.ok) throw new Error((told.errors ?? [told]).map((each) => each.detail).join("; "));
  return told;
}

async function trying(words, work) {
  try {
    await work();
    state.textContent = words;
  } catch (error) {
    state.textContent = error.message;
  }
}

// In a page of yours this asks your backend, which knows who is logged in.
async function token() {
  const { key, recipient } = who.elements;
  return key.value ? post("api/v1/inbox/tokens", { recipient: recipient.value }) : null;
}

function openInbox() {
  return trying("The inbox is open.", async () => {
    await token();
    inbox.hidden = false;
    what.querySelector("button").disabled = false;
    inbox.getToken = token;
  });
}

who.addEventListener("submit", (event) => {
  event.preventDefault();
  openInbox();
});

what.addEventListener("submit", (event) => {
  event.preventDefault();
  const { subject, content, action_url } = Object.fromEntries(new FormData(what));
  trying("Sent.", () => post("api/v1/notifications/send", {
    type: "in_app", recipient: who.elements.recipient.value, content, literal: true,
    ...(subject && { subject }), ...(action_url && { action_url }),
  }));
});

// The link of the greeting brings the key along: a fragment is never sent to anybody.
if (location.hash.startsWith("#ntf_")) {
  who.elements.key.value = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
  openInbox();
}
