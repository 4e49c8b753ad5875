// What a browser adds to pages that work without it: keys, toasts, endless lists, live news. One file, no build step.
"use strict";
(() => {
  const one = (selector, within = document) => within.querySelector(selector);
  const all = (selector) => [...document.querySelectorAll(selector)];

  // --- The item that the keys are about -------------------------------------------------------------------------
  const rows = () => all(".item");
  let current = null;

  function choose(row) {
    if (!row) return;
    current?.removeAttribute("data-current");
    current = row;
    row.setAttribute("data-current", "");
    one(".to", row)?.focus({preventScroll: true});
    row.scrollIntoView({block: "nearest", behavior: "instant"});
  }

  function step(by) {
    const list = rows();
    if (!list.length) return one(by > 0 ? "a[rel=next]" : "a[rel=prev]")?.click();
    const at = current?.isConnected ? list.indexOf(current) : -1;
    if (at + by >= list.length) one(".more")?.click();
    choose(list[Math.max(0, Math.min(at + by, list.length - 1))]);
  }

  // The row in hand, or the whole page of an item.
  const scope = () => (rows().length ? (current?.isConnected ? current : null) : one("[data-item]"));
  const press = (selector) => { const place = scope(); if (place) one(selector, place)?.click(); };
  const go = (where) => location.assign(where);

  // --- Keys -----------------------------------------------------------------------------------------------------
  const keys = {
    j: () => step(1), k: () => step(-1), o: () => press(".to"), v: () => press(".original"), w: () => press(".whence"),
    l: () => press("[value=like]"), d: () => press("[value=dislike]"), s: () => press("[value=save]"),
    x: () => press("[value=hide]"), m: () => press("[value=read]"), u: undo, z: undo,
    "/": () => { const field = one("input[type=search]"); if (field) field.focus(); else go("/search"); },
    "?": () => one("#keys").showModal(),
  };
  const places = {h: "/", a: "/all", s: "/all", b: "/saved", t: "/tray", i: "/interests", f: "/sources", r: "/rules", d: "/digest", p: "/profile", y: "/you"};
  let went = 0;  // when g was pressed

  // The toast's own undo takes back exactly what it names; else the last act.
  function undo() { (one("#toast form button") ?? one("#undo") ?? one("#last-undo"))?.click(); }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || one("dialog[open]")) return;
    if (event.target.closest("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const waiting = Date.now() - went < 1500;
    went = 0;
    if (waiting && places[event.key]) { event.preventDefault(); return go(places[event.key]); }
    if (event.key === "g") { went = Date.now(); return; }
    if (event.key === "Escape") { all("details[open].menu, details[open].others").forEach((menu) => { menu.open = false; }); return; }
    if (!event.repeat || "jk".includes(event.key)) {
      const act = keys[event.key];
      if (act) { event.preventDefault(); act(); }
    }
  });
  document.addEventListener("focusin", (event) => {
    const row = event.target.closest?.(".item");
    if (row && row !== current) { current?.removeAttribute("data-current"); current = row; row.setAttribute("data-current", ""); }
  });

  // --- Menus close when one looks elsewhere ---------------------------------------------------------------------
  document.addEventListener("click", (event) => {
    all("details[open].menu, details[open].others").forEach((menu) => { if (!menu.contains(event.target)) menu.open = false; });
  });

  // --- Toasts go by themselves, unless somebody is at them ------------------------------------------------------
  const toast = one("#toast");
  let fading;
  new MutationObserver(() => {
    clearTimeout(fading);
    fading = setTimeout(function fade() {
      if (toast.matches(":hover, :focus-within")) fading = setTimeout(fade, 2000);
      else toast.replaceChildren();
    }, 8000);
  }).observe(toast, {childList: true});

  function say(text) {
    const said = document.createElement("div");
    said.className = "said";
    said.textContent = text;
    toast.replaceChildren(said);
  }
  for (const name of ["htmx:response:error", "htmx:error"])
    document.addEventListener(name, () => say(document.body.dataset.failed));

  // --- A list without an end, that keeps its place --------------------------------------------------------------
  const list = one("#items");
  const coming = new IntersectionObserver((seen) => {
    for (const {isIntersecting, target} of seen)
      if (isIntersecting) { coming.unobserve(target); target.click(); }
  }, {rootMargin: "600px"});
  const watch = () => all("a.more").forEach((more) => coming.observe(more));

  // The address names the list and how far it was read, so that "back" shows the same rows and the browser can scroll.
  function remember() {
    const end = one(".turn")?.dataset.end;
    if (!list || !end) return;
    const here = new URL(location);
    here.searchParams.set("list", list.dataset.list);
    here.searchParams.set("upto", end);
    history.replaceState(history.state, "", here);
  }
  if (list && performance.getEntriesByType("navigation")[0]?.type === "reload" && new URLSearchParams(location.search).has("upto")) {
    const here = new URL(location);  // who reloads wants what is new
    for (const name of ["list", "upto", "start"]) here.searchParams.delete(name);
    location.replace(here);
  }

  // --- After each answer ----------------------------------------------------------------------------------------
  let held = "";  // what had the focus, by its id: a button that is replaced keeps it
  document.addEventListener("htmx:before:swap", () => { held = document.activeElement?.id ?? ""; });
  document.addEventListener("htmx:after:swap", () => {
    if (held && document.activeElement === document.body) document.getElementById(held)?.focus({preventScroll: true});
    const seen = new Set();  // a list that was made anew after a restart could repeat a row
    for (const row of rows()) if (row.id && seen.has(row.id)) row.remove(); else seen.add(row.id);
    for (const row of rows()) row.toggleAttribute("data-was-done", Boolean(one(".press[data-done]", row)) || row.hasAttribute("data-told"));
    countDone();
    remember();
    watch();
  });

  const title = document.title.replace(/^\([\d,.]+\) /, "");
  const doneAtFirst = all(".item[data-was-done]").length;
  let done = doneAtFirst;
  function countDone() {
    if (!list?.dataset.unread) return;
    const now = all(".item[data-was-done]").length;
    const left = Number(list.dataset.unread) - now + doneAtFirst;
    document.title = left > 0 ? `(${left}) ${title}` : title;
    if (now !== done) { done = now; document.body.dispatchEvent(new Event("done")); }
  }

  // --- Live news: work that goes on, a ranking that stands by now ---------------------------------------------------
  if (list?.dataset.standing || one("[data-live]")) {
    const news = new EventSource("/events");
    news.addEventListener("work", () => document.body.dispatchEvent(new Event("work")));
    news.addEventListener("ranked", (event) => {
      if (JSON.parse(event.data).standing !== one("#items")?.dataset.standing) document.body.dispatchEvent(new Event("ranked"));
    });
    addEventListener("pagehide", () => news.close());
  }

  remember();
  watch();
  if ("serviceWorker" in navigator && isSecureContext) navigator.serviceWorker.register("/sw.js").catch(() => {});
})();
