/* Steps change places by their buttons or by drag; the form works without it. */
(() => {
  const form = document.querySelector("[data-funnel]");
  if (!form) return;
  const list = form.querySelector("[data-steps]");
  const told = form.querySelector("[data-told]");
  const rows = () => [...list.querySelectorAll("[data-step]")];
  const number = () => {
    rows().forEach((row, index) => {
      const label = row.querySelector("label");
      label.textContent = `${label.dataset.name} ${index + 1}`;
      label.htmlFor = row.querySelector("select").id = `step-${index + 1}`;
      row.querySelector("[data-up]").disabled = index === 0;
      row.querySelector("[data-down]").disabled = index === rows().length - 1;
    });
    form.querySelector("[data-add]").disabled = rows().length >= Number(form.dataset.max);
  };
  const moved = (row, button) => {
    number();
    const select = row.querySelector("select");
    told.textContent = `${row.querySelector("label").textContent}: ${select.selectedOptions[0].text}`;
    (button && !button.disabled ? button : select).focus();
  };
  let dragged;
  const arm = (row) => {
    row.querySelector("[data-moves]").hidden = false;
    const grip = row.querySelector("[data-grip]");
    grip.hidden = false;
    grip.draggable = true;
    row.querySelector("[data-up]").addEventListener("click", (event) => {
      row.previousElementSibling?.before(row);
      moved(row, event.currentTarget);
    });
    row.querySelector("[data-down]").addEventListener("click", (event) => {
      row.nextElementSibling?.after(row);
      moved(row, event.currentTarget);
    });
    grip.addEventListener("dragstart", (event) => {
      dragged = row;
      event.dataTransfer.setData("text/plain", "");
      event.dataTransfer.effectAllowed = "move";
    });
    grip.addEventListener("dragend", () => {
      dragged = undefined;
      number();
    });
    row.addEventListener("dragover", (event) => {
      if (!dragged || dragged === row) return;
      event.preventDefault();
      const box = row.getBoundingClientRect();
      if (event.clientY < box.top + box.height / 2) row.before(dragged);
      else row.after(dragged);
    });
  };
  list.addEventListener("drop", (event) => event.preventDefault());
  const add = form.querySelector("[data-add]");
  add.hidden = false;
  add.addEventListener("click", () => {
    const row = rows().at(-1).cloneNode(true);
    row.querySelector("select").value = "";
    list.append(row);
    arm(row);
    number();
    row.querySelector("select").focus();
  });
  rows().forEach(arm);
  number();
})();
