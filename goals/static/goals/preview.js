/* Shows what the form would count while it is filled in: 300 ms after the last change,
   one request at a time, and the newest wins. */
(() => {
  const form = document.querySelector("form[data-preview]");
  const place = document.querySelector("[data-preview-place]");
  if (!form || !place) return;
  form.querySelector("[data-preview-button]").hidden = true;
  const value = form.elements.match_value;
  let timer;
  let asking;
  /* The names that are known from the start, or those with what was typed in them. */
  const offer = () => {
    const found = document.getElementById("names-found");
    value.setAttribute("list", found && value.value ? found.id : `names-${form.elements.type.value}`);
  };
  const show = async () => {
    asking?.abort();
    if (!value.value) return;
    const own = (asking = new AbortController());
    place.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(form.dataset.preview, {
        method: "POST",
        body: new URLSearchParams(new FormData(form)),
        headers: { "X-Part": "1" },
        signal: own.signal,
      });
      const made = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (own.signal.aborted) return;
      if (answer.ok) {
        place.replaceChildren(...made.body.childNodes);
        offer();
      }
    } catch {
      /* A newer one was asked for, or the network is away. */
    }
    if (own === asking) place.removeAttribute("aria-busy");
  };
  form.addEventListener("input", () => {
    offer();
    clearTimeout(timer);
    timer = setTimeout(show, 300);
  });
  /* A rule that a hint offers; without this script it is a link to the filled form. */
  place.addEventListener("click", (event) => {
    const link = event.target.closest("[data-rule]");
    if (!link) return;
    event.preventDefault();
    form.elements.type.value = link.dataset.type;
    form.elements.match_type.value = link.dataset.matchType;
    value.value = link.dataset.matchValue;
    value.focus();
    show();
  });
  offer();
  show();
})();
