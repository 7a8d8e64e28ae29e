/* Asks again every few seconds, while somebody looks; what has not changed is not sent. */
(() => {
  const place = document.querySelector("[data-live]");
  if (!place) return;
  const seconds = 3;
  let shown = "";
  const look = async () => {
    if (!document.hidden) {
      try {
        const answer = await fetch(place.dataset.live, { headers: { "X-Part": "1" }, cache: "no-cache" });
        if (answer.ok && !answer.redirected) {
          const text = await answer.text();
          if (text !== shown && !place.contains(document.activeElement)) {
            const made = new DOMParser().parseFromString(text, "text/html");
            place.replaceChildren(...made.body.childNodes);
            shown = text;
          }
        }
      } catch {
        /* The next time. */
      }
    }
    setTimeout(look, seconds * 1000);
  };
  setTimeout(look, seconds * 1000);

  const button = document.querySelector("[data-test-event]");
  if (!button) return;
  const told = document.querySelector("[data-test-answer]");
  button.hidden = false;
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      const answer = await fetch("/api/v1/analytics/collect?debug=1", {
        method: "POST",
        body: JSON.stringify({ site: button.dataset.testEvent, type: "event", name: button.dataset.name, url: button.dataset.url }),
      });
      const result = await answer.json();
      told.textContent = result.dropped ? `${button.dataset.dropped} ${result.dropped}` : answer.ok ? button.dataset.kept : result.error;
    } catch (error) {
      told.textContent = String(error);
    }
    button.disabled = false;
  });
})();
