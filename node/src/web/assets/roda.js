// Keys, drafts and news. Every page works without this file.
"use strict";

(() => {
  const page = document.body;
  const all = (query, within = document) => [...within.querySelectorAll(query)];
  const one = (query, within = document) => within.querySelector(query);

  // What is typed survives a closed tab, and a node that did not take it: it is kept in this browser until the page of what was
  // written is there. A refusal without a form runs no script, and the form itself, when it is back, keeps its draft.
  const sent = sessionStorage.getItem("sent");
  sessionStorage.removeItem("sent");
  if (sent && location.pathname.startsWith("/t/") && !one(".problem")) localStorage.removeItem(sent);
  const keepDraft = (form) => {
    const key = `draft:${form.dataset.draft}`;
    const fields = all("input:not([type=hidden]), textarea", form);
    const isEmpty = fields.every((field) => field.value === "");
    const kept = JSON.parse(localStorage.getItem(key) || "null");
    if (kept && isEmpty) {
      for (const field of fields) field.value = kept[field.name] || "";
    }
    form.addEventListener("input", () => {
      localStorage.setItem(key, JSON.stringify(Object.fromEntries(fields.map((field) => [field.name, field.value]))));
    });
    form.addEventListener("submit", () => sessionStorage.setItem("sent", key));
  };
  for (const form of all("form[data-draft]")) keepDraft(form);

  // An answer is written below what it answers, in the form of the page that the link leads to. One at a time: its fields
  // have names that a page has once.
  let answering = null;
  const closeAnswer = () => {
    if (!answering) return;
    const { link, box } = answering;
    const hadFocus = box.contains(document.activeElement);
    answering = null;
    box.remove();
    link.setAttribute("aria-expanded", "false");
    if (hadFocus) link.focus();
  };
  const openAnswer = async (link) => {
    if (answering && answering.link === link) return one("textarea", answering.box).focus();
    let form = null;
    let heading = "";
    try {
      const answer = await fetch(link.href);
      const said = new DOMParser().parseFromString(await answer.text(), "text/html");
      form = answer.ok ? one("form[data-draft]", said) : null;
      heading = one("h1", said)?.textContent || "";
    } catch {
      // The link's own page says what is wrong.
    }
    if (!form || !one("textarea", form)) {
      location.assign(link.href);
      return;
    }
    closeAnswer();
    const box = document.createElement("div");
    box.className = "answering";
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", heading);
    box.append(document.adoptNode(form));
    link.closest("article").append(box);
    link.setAttribute("aria-expanded", "true");
    answering = { link, box };
    keepDraft(form);
    const cancel = one(".buttons a", form);
    if (cancel) {
      cancel.addEventListener("click", (event) => {
        event.preventDefault();
        closeAnswer();
      });
    }
    box.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || event.isComposing) return;
      event.preventDefault();
      closeAnswer();
    });
    const text = one("textarea", form);
    text.rows = 6;
    text.focus();
    box.scrollIntoView({ block: "nearest" });
  };
  for (const link of all("[data-thread] article [data-key=reply]")) {
    link.setAttribute("aria-expanded", "false");
    link.addEventListener("click", (event) => {
      // With these a person asks for another tab or window.
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
      event.preventDefault();
      openAnswer(link);
    });
  }

  // Keys move the focus itself, so that readers of the screen follow.
  const places = () => all("article[tabindex]").filter((place) => place.checkVisibility());
  const current = () => document.activeElement.closest("article[tabindex]") ||
    one("article[tabindex]", document.activeElement.closest("li") || document.createElement("li"));
  const go = (place) => {
    if (!place) return;
    place.focus({ preventScroll: true });
    place.scrollIntoView({ block: "nearest" });
  };
  const step = (by, isWanted = () => true) => {
    const found = places();
    const at = found.indexOf(current());
    const ahead = by > 0 ? found.slice(at + 1) : found.slice(0, Math.max(at, 0)).reverse();
    const next = ahead.find(isWanted);
    go(next || (at < 0 ? found[0] : null));
    return Boolean(next);
  };
  const level = (place) => Number(place ? place.dataset.level || 0 : 0);
  const sibling = (by) => {
    const from = level(current());
    const found = places();
    const at = found.indexOf(current());
    const ahead = by > 0 ? found.slice(at + 1) : found.slice(0, Math.max(at, 0)).reverse();
    for (const place of ahead) {
      if (level(place) < from) return;
      if (level(place) === from) return go(place);
    }
  };
  const above = () => {
    const found = places();
    const from = level(current());
    const ahead = found.slice(0, Math.max(found.indexOf(current()), 0)).reverse();
    go(ahead.find((place) => level(place) < from));
  };
  const fold = () => {
    const place = current();
    const details = place ? place.closest("details") : null;
    if (!details) return false;
    details.open = !details.open;
    if (!details.open) one("summary", details).focus();
    return true;
  };
  const press = (name) => {
    const place = current();
    const found = (place && one(`[data-key=${name}]`, place)) || null;
    if (found) found.click();
  };
  const shared = (name) => {
    const found = one(`[data-key=${name}]`);
    if (found) found.click();
    return Boolean(found);
  };
  const asked = new URLSearchParams(location.search);
  const isLaterPage = asked.has("before") || asked.has("cursor") || asked.has("after");
  const keys = {
    j: () => step(1),
    k: () => step(-1),
    J: () => sibling(1),
    K: () => sibling(-1),
    n: () => shared("page"),
    p: () => (one("[data-thread]") ? above() : isLaterPage && history.back()),
    t: () => go(places()[0]),
    x: fold,
    o: () => press("open"),
    c: () => press("open"),
    r: () => press("reply"),
    e: () => press("edit"),
    a: () => press("up"),
    z: () => press("down"),
    u: () => press("author"),
    "/": () => {
      const field = one("input[type=search]");
      if (field) field.select();
      else shared("search");
    },
    "?": () => shared("help"),
  };
  document.addEventListener("keydown", (event) => {
    if (page.dataset.keys !== "on" || event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
    const target = event.target;
    if (target.matches("input, textarea, select")) return;
    const isPlace = target.matches("article[tabindex]");
    if (event.key === " ") {
      if (target.matches("button, summary, a")) return;
      const isNew = (place) => place.classList.contains("unread");
      if (step(1, isNew) || shared("page")) event.preventDefault();
      return;
    }
    if (event.key === "Enter") {
      if (isPlace) {
        event.preventDefault();
        if (one("[data-key=open]", target)) press("open");
        else fold();
      }
      return;
    }
    const deed = keys[event.key];
    if (!deed) return;
    event.preventDefault();
    deed();
  });

  // News of the thread that is read: a line to press, nothing moves by itself.
  const thread = one("[data-thread]");
  const news = one(".news");
  if (thread && news && window.EventSource) {
    const { thread: root, board } = thread.dataset;
    let asking = false;
    const ask = async () => {
      if (asking) return;
      asking = true;
      try {
        const answer = await fetch(`/t/${root}/news?seen=${thread.dataset.seen}`);
        const count = answer.ok ? (await answer.json()).new : 0;
        if (count > 0) {
          const text = (count === 1 ? news.dataset.one : news.dataset.many).replace("%n", count);
          const link = document.createElement("a");
          link.href = location.pathname + location.search;
          link.textContent = `${text}: ${news.dataset.show}`;
          news.replaceChildren(link);
        }
      } finally {
        asking = false;
      }
    };
    // One stream for the tab that is looked at: a browser has six connections for all of them.
    let stream = null;
    const listen = () => {
      if (document.hidden) {
        if (stream) stream.close();
        stream = null;
        return;
      }
      if (stream) return;
      stream = new EventSource("/api/v1/events");
      stream.addEventListener("admitted", (event) => {
        const said = JSON.parse(event.data);
        if (said.board === board && (said.kind === "comment" || said.kind === "post")) ask();
      });
      stream.addEventListener("lagged", ask);
      ask();
    };
    document.addEventListener("visibilitychange", listen);
    listen();
  }

  for (const field of all("textarea.copy")) field.addEventListener("focus", () => field.select());
})();
