/* Buttons that copy an element's text, or the address of the page. */
(() => {
  const write = async (text) => {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    // Browsers give the clipboard to pages over HTTPS alone.
    const field = document.createElement("textarea");
    field.value = text;
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    if (!done) throw new Error("not copied");
  };
  for (const button of document.querySelectorAll("[data-copies]")) {
    const told = button.parentElement.querySelector("[data-copied]");
    const say = (text) => {
      told.textContent = text;
      // Screen readers are told of what comes into this.
      const said = document.createElement("p");
      said.className = "hidden";
      said.textContent = text;
      const status = document.querySelector(".messages");
      status.querySelector("p.hidden")?.remove();
      status.append(said);
    };
    button.hidden = false;
    button.addEventListener("click", async () => {
      const source = button.dataset.copies && document.getElementById(button.dataset.copies);
      try {
        await write(source ? source.textContent : location.href);
        say(told.dataset.copied);
      } catch {
        say(told.dataset.failed);
      }
    });
  }
})();
