/* Draws the table beside it. The numbers are read from its cells. */
(() => {
  const table = document.getElementById("course");
  const place = document.querySelector("[data-chart]");
  if (!table || !place || !window.uPlot) return;
  const rows = [...table.tBodies[0].rows];
  if (rows.length < 2) return place.remove();
  const number = (text) => (text === "" || text === undefined ? null : Number(text));
  const byHour = place.dataset.interval === "hour";
  const times = rows.map((row) => {
    const text = row.querySelector("time").dateTime;
    return Date.parse(byHour ? text : `${text.slice(0, 10)}T00:00:00Z`) / 1000;
  });
  const now = rows.map((row) => number(row.querySelector("[data-value]").dataset.value));
  const earlier = rows.map((row) => number(row.querySelector("[data-before]")?.dataset.before));
  const hasEarlier = earlier.some((each) => each !== null);
  const labels = rows.map((row) => row.querySelector("time").textContent);
  const marks = [...document.querySelectorAll("[data-mark]")].map((each) => Date.parse(`${each.dataset.mark}T${byHour ? "12" : "00"}:00:00Z`) / 1000);
  let chart;
  /* A line at each day of which something is noted; the list below says what. */
  const drawMarks = (plot, colour) => {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = colour;
    ctx.setLineDash([2, 3]);
    for (const at of marks) {
      const x = Math.round(plot.valToPos(at, "x", true));
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      ctx.fillRect(x - 3, bbox.top, 6, 6);
    }
    ctx.restore();
  };
  const draw = () => {
    const style = getComputedStyle(place);
    const ink = style.color;
    const accent = getComputedStyle(place.querySelector(".ink-accent")).color;
    const line = getComputedStyle(place.querySelector(".ink-line")).color;
    const other = getComputedStyle(place.querySelector(".ink-other")).color;
    chart?.destroy();
    const series = [
      { label: place.dataset.when, value: (_, at, __, index) => (index === null ? "" : labels[index] ?? "") },
      { label: place.dataset.now, stroke: accent, width: 2, points: { show: rows.length < 40 } },
    ];
    if (hasEarlier) {
      series.push({ label: place.dataset.before, stroke: other, width: 1.5, dash: [5, 5], points: { show: false } });
    }
    const form = new Intl.DateTimeFormat(document.documentElement.lang, {
      timeZone: byHour ? undefined : "UTC",
      ...(byHour ? { hour: "2-digit", minute: "2-digit" } : { day: "numeric", month: "short" }),
    });
    const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 }, font: `12px ${style.fontFamily}` };
    chart = new uPlot(
      {
        width: place.clientWidth,
        height: 240,
        tzDate: (seconds) => (byHour ? new Date(seconds * 1000) : uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC")),
        scales: { y: { range: (_, low, high) => [0, Math.max(1, high * 1.05)] } },
        axes: [{ ...axis, values: (_, ticks) => ticks.map((tick) => form.format(tick * 1000)) }, { ...axis, size: 56, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 1e6, 1e7] }],
        series,
        hooks: { draw: [(plot) => drawMarks(plot, ink)] },
      },
      hasEarlier ? [times, now, earlier] : [times, now],
      place,
    );
  };
  for (const name of ["accent", "line", "other"]) {
    const probe = document.createElement("span");
    probe.className = `ink-${name}`;
    place.append(probe);
  }
  place.hidden = false;
  document.querySelector("[data-chart-table]").open = false;
  draw();
  new ResizeObserver(() => {
    if (chart.width !== place.clientWidth) chart.setSize({ width: place.clientWidth, height: 240 });
  }).observe(place);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  new MutationObserver(draw).observe(document.documentElement, { attributeFilter: ["data-theme"] });
})();
