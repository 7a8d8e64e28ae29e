/* Keys for what a page has: each element with `data-key` says its own, and `?` lists them.
   They can be switched off in the list, which this browser remembers. */
(() => {
  const help = document.getElementById("keys");
  const list = help.querySelector("dl");
  const choice = help.querySelector("input");
  const close = help.querySelector("[data-close]");
  const open = document.querySelector("[data-keys-open]");
  const typing = "input, textarea, select, [contenteditable]";
  const areOn = () => {
    try {
      return localStorage.getItem("keys") !== "off";
    } catch {
      return true;
    }
  };
  /* Parts of a page come and go, so that its keys are looked for when they are needed. */
  const found = () => {
    const all = new Map();
    for (const each of document.querySelectorAll("[data-key]")) {
      if (each.getClientRects().length && !all.has(each.dataset.key)) all.set(each.dataset.key, each);
    }
    return all;
  };
  const row = (key, name) => {
    const made = document.createElement("div");
    const [term, text, shown] = ["dt", "dd", "kbd"].map((tag) => document.createElement(tag));
    shown.textContent = key;
    term.append(shown);
    text.textContent = name;
    made.append(term, text);
    return made;
  };
  const show = () => {
    const rows = [row("?", list.dataset.help)];
    for (const [key, each] of found()) rows.push(row(key, each.dataset.keyName ?? each.textContent.trim()));
    list.replaceChildren(...rows);
    help.showModal();
    // Not by `autofocus`: the browser would look for it in every page that opens.
    close.focus();
  };
  const tell = (on) => {
    choice.checked = on;
    for (const each of document.querySelectorAll("[data-key]")) {
      if (on) each.setAttribute("aria-keyshortcuts", each.dataset.key);
      else each.removeAttribute("aria-keyshortcuts");
    }
  };
  let on = areOn();
  tell(on);
  open.hidden = false;
  open.addEventListener("click", show);
  close.addEventListener("click", () => help.close());
  choice.addEventListener("change", () => {
    on = choice.checked;
    try {
      if (on) localStorage.removeItem("keys");
      else localStorage.setItem("keys", "off");
    } catch {
      /* It holds for this page alone. */
    }
    tell(on);
  });
  /* Browsers let Tab leave a dialog for their own buttons, and lose the place in it. */
  help.addEventListener("keydown", (event) => {
    if (event.key !== "Tab") return;
    const stops = [...help.querySelectorAll("input, button")];
    const [from, to] = event.shiftKey ? [stops[0], stops.at(-1)] : [stops.at(-1), stops[0]];
    if (document.activeElement !== from) return;
    event.preventDefault();
    to.focus();
  });
  addEventListener("keydown", (event) => {
    if (!on || help.open || event.defaultPrevented || event.repeat || event.isComposing) return;
    if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest?.(typing)) return;
    const each = event.key === "?" ? open : found().get(event.key);
    if (!each) return;
    // Else Firefox would search the page for what was pressed.
    event.preventDefault();
    each.click();
    if (each.matches("summary") && each.parentElement.open) {
      each.parentElement.querySelector("input:not([type=hidden]), select")?.focus();
    }
  });
})();
