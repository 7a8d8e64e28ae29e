/* The theme that a person chose: auto, light or dark. Kept in this browser. */
(() => {
  const root = document.documentElement;
  const names = ["auto", "light", "dark"];
  const kept = () => {
    try {
      const name = localStorage.getItem("theme");
      return names.includes(name) ? name : "auto";
    } catch {
      return "auto";
    }
  };
  const show = (name) => {
    if (name === "auto") delete root.dataset.theme;
    else root.dataset.theme = name;
    for (const text of document.querySelectorAll("[data-theme-name]")) {
      text.textContent = text.dataset[name];
    }
  };
  show(kept());
  addEventListener("DOMContentLoaded", () => {
    show(kept());
    for (const button of document.querySelectorAll("[data-theme-switch]")) {
      button.hidden = false;
      button.addEventListener("click", () => {
        const next = names[(names.indexOf(kept()) + 1) % names.length];
        try {
          localStorage.setItem("theme", next);
        } catch {
          /* It holds for this page alone. */
        }
        show(next);
      });
    }
  });
})();
