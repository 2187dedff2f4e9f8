// Keeps the parts that are marked data-live up to date, and copies. The page works without it.
"use strict";

const body = document.body;
const EVERY = 1000;
let spoken = 0;
const shown = new WeakMap();

async function follow() {
  // A search reads all contacts: not every second.
  if (document.hidden || new URLSearchParams(location.search).get("search")) return;
  let answer;
  try {
    answer = await fetch(location.pathname + location.search, { headers: { "x-live": "1" } });
  } catch {
    show(false);
    return;
  }
  show(answer.ok);
  if (answer.ok) renew(new DOMParser().parseFromString(await answer.text(), "text/html"));
}

function show(online) {
  document.getElementById("status").classList.toggle("off", !online);
  const state = document.getElementById("state");
  const text = online ? body.dataset.online : body.dataset.offline;
  if (state.textContent !== text) state.textContent = text;
}

function renew(fresh) {
  for (const part of document.querySelectorAll("[data-live]")) {
    const next = fresh.getElementById(part.id);
    if (!next || next.outerHTML === shown.get(part)) continue;
    if (part.id === "notice") {
      // A screen reader must be able to finish a sentence.
      if (Date.now() - spoken < 10000 || part.textContent === next.textContent) continue;
      spoken = Date.now();
    }
    if (!shown.has(part) && part.innerHTML === next.innerHTML) continue;
    replace(part, next);
  }
}

function replace(part, next) {
  const open = [...part.querySelectorAll("details[open]")].map((item) => item.id);
  const rows = new Set([...part.querySelectorAll("[data-row]")].map((row) => row.dataset.row));
  const focused = part.contains(document.activeElement) ? document.activeElement : null;
  const again = focused && finder(focused);
  const scroll = part.scrollTop;
  const was = next.outerHTML;
  part.replaceChildren(...next.childNodes);
  part.className = next.className;
  shown.set(part, was);
  part.scrollTop = scroll;
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  for (const row of part.querySelectorAll("[data-row]")) {
    if (!rows.has(row.dataset.row)) row.classList.add("new");
  }
  if (again) part.querySelector(again)?.focus({ preventScroll: true });
}

// How to find the focused element again among its successors.
function finder(element) {
  if (element.id) return "#" + CSS.escape(element.id);
  const href = element.getAttribute("href");
  if (href) return `a[href="${CSS.escape(href)}"]`;
  const item = element.closest("details[id]");
  return item ? `#${CSS.escape(item.id)} ${element.localName}` : null;
}

// Browsers lend the clipboard to TLS and to this machine only; elsewhere the old way is left.
async function put(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const field = document.body.appendChild(document.createElement("textarea"));
  field.value = text;
  field.select();
  document.execCommand("copy");
  field.remove();
}

async function copy(button) {
  const from = button.dataset.copyFrom;
  const text = from ? await (await fetch(from, { method: "POST" })).text() : button.dataset.copy;
  await put(text);
  const label = button.textContent;
  button.textContent = body.dataset.copied;
  setTimeout(() => { button.textContent = label; }, 1500);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy], [data-copy-from]");
  if (button) copy(button);
  const menu = document.getElementById("account");
  if (menu.open && !menu.contains(event.target)) menu.open = false;
});

document.addEventListener("keydown", (event) => {
  const menu = document.getElementById("account");
  if (event.key === "Escape" && menu.open) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

setInterval(follow, EVERY);
document.addEventListener("visibilitychange", follow);
