/* Makes what unfold's pages open by a click known to keyboards and screen readers. */
(() => {
  const NAMES = { dock_to_right: "Menu", close: "Close", unfold_more: "More", search: "Search", arrow_back: "Back", more_vert: "Actions" };
  const FOCUSABLE = "a[href], button, input:not([type=hidden]), select, textarea, [tabindex='0']";
  const CLICKED = "[x-on\\:click]:not(button, a[href], input, select, textarea)";

  const isShown = (element) => element.getClientRects().length > 0;
  const enter = (place) => {
    const first = place && [...place.querySelectorAll(FOCUSABLE)].find(isShown);
    if (first) first.focus();
  };
  // What a click opens, for those who cannot see that it has.
  const opened = (button) => {
    const what = button.getAttribute("x-on:click");
    if (what.includes("filterOpen = true")) return document.querySelector("#changelist-filter");
    if (what.includes("openUserLinks")) return button.parentElement.querySelector("nav");
    if (what.includes("sidebarMobileOpen = ")) return document.querySelector("#nav-sidebar");
    return null;
  };

  const makeButton = (element) => {
    // The page behind a sheet: closing it has a key of its own.
    if (element.id === "changelist-filter-close") return;
    element.setAttribute("role", "button");
    element.tabIndex = 0;
    element.addEventListener("keydown", (event) => {
      if (event.target !== element || !["Enter", " "].includes(event.key)) return;
      event.preventDefault();
      element.click();
    });
    element.addEventListener("click", () => {
      const place = opened(element);
      // Alpine shows it after this event.
      setTimeout(() => {
        if (!place || !isShown(place)) return;
        enter(place);
        place.addEventListener("keydown", (event) => {
          if (event.key === "Escape" && isShown(element)) element.focus();
        }, { once: true });
      }, 150);
    });
  };

  const nameIcon = (icon) => {
    const owner = icon.closest("a, button, [role=button]") || icon;
    const others = owner.textContent.replace(icon.textContent, "").trim();
    const name = owner.title || NAMES[icon.textContent.trim()];
    if (others || owner === icon && !icon.matches("[role=button]")) icon.setAttribute("aria-hidden", "true");
    else if (name && !owner.hasAttribute("aria-label")) owner.setAttribute("aria-label", name);
  };

  const label = (selector, name) => {
    for (const field of document.querySelectorAll(selector)) {
      if (!field.hasAttribute("aria-label")) field.setAttribute("aria-label", name(field));
    }
  };
  const nameFields = () => {
    label("#searchbar", () => "Search");
    label(".select2-search__field", () => "Search among the choices");
    label("#changelist-filter input:not([type=hidden], [id]), #changelist-filter input[placeholder]", (field) => {
      const title = field.closest("div:has(> h3)")?.querySelector("h3")?.textContent.trim() ?? "Filter";
      return `${title}: ${field.placeholder}`;
    });
    label("#nav-sidebar .simplebar-content-wrapper", () => "Menu");
    label("#changelist-filter .simplebar-content-wrapper", () => "Filters");
  };

  /* Numbers of a list's rows, asked for once the list is there. */
  const fillNumbers = async (cells) => {
    const ids = new URLSearchParams([...new Set(cells.map((cell) => cell.dataset.current))].map((id) => ["id", id]));
    const answer = await fetch(`${cells[0].dataset.from}?${ids}`);
    if (!answer.ok) return;
    const numbers = await answer.json();
    for (const cell of cells) {
      const text = numbers[cell.dataset.current]?.[cell.dataset.number];
      if (text) cell.textContent = text;
    }
  };
  const completeList = async () => {
    const cells = [...document.querySelectorAll("[data-current]")];
    if (!cells.length) return;
    const list = cells[0].closest("table");
    list.setAttribute("aria-busy", "true");
    await fillNumbers(cells).finally(() => list.removeAttribute("aria-busy"));
  };

  addEventListener("DOMContentLoaded", () => {
    completeList();
    document.querySelectorAll(CLICKED).forEach(makeButton);
    document.querySelectorAll(".material-symbols-outlined").forEach(nameIcon);
    nameFields();
    // Fields that search among choices come with them.
    new MutationObserver(nameFields).observe(document.body, { childList: true, subtree: true });
  });
})();
