/* Parts of a page that load after it, one after the other. Without this script each is a
   link to a page of its own. */
(async () => {
  for (const part of document.querySelectorAll("[data-part]")) {
    part.setAttribute("aria-busy", "true");
    try {
      for (let attempt = 0; attempt < 5; attempt++) {
        const answer = await fetch(part.dataset.part, { headers: { "X-Part": "1" } });
        if (answer.status === 503) {
          const seconds = Number(answer.headers.get("Retry-After")) || 3;
          await new Promise((done) => setTimeout(done, Math.min(seconds, 10) * 1000));
          continue;
        }
        if (answer.ok && !answer.redirected) {
          const text = await answer.text();
          const made = new DOMParser().parseFromString(text, "text/html");
          part.replaceChildren(...made.body.childNodes);
        }
        break;
      }
    } catch {
      /* The link stays. */
    }
    part.removeAttribute("aria-busy");
  }
})();
