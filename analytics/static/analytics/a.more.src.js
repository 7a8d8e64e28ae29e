// Optional: automatic events, sent with the tracker's `ka.track`. Browsers get
// a.more.js, which is this file minified; docs/tracker.md lists each event and its
// props. Nothing is on by default: data-more="outbound downloads" turns events on.
// The try block is also the scope: nothing becomes global.
try {
  const { dataset } = document.currentScript;
  const wanted = (dataset.more || "").split(/[\s,]+/);
  // `ka` is looked up at each event, so the tracker may load after this file. Each
  // part starts once per page, even if the page has this file twice.
  const track = (name, props) => window.ka && ka.track(name, props);
  const once = window.ka && (ka.q.more = ka.q.more || {});
  const use = (part, start) => {
    if (!wanted.includes(part) || (once && once[part])) return;
    if (once) once[part] = true;
    start();
  };
  // The target of a link without query and fragment, which may contain secrets.
  const bare = (url) => url.host + url.pathname;

  // Left and middle clicks on links; the keyboard triggers click events as well.
  const onLink = (listener) => {
    const handle = (event) => {
      try {
        if (event.type == "auxclick" && event.button != 1) return;
        const link = event.target.closest("a[href], area[href]");
        if (link) listener(new URL(link.href, document.baseURI));
      } catch {}
    };
    document.addEventListener("click", handle, true);
    document.addEventListener("auxclick", handle, true);
  };

  const file = new RegExp(
    `\\.(${dataset.files || "pdf|docx?|xlsx?|pptx?|csv|txt|rtf|zip|rar|7z|gz|tar|dmg|pkg|exe|msi|deb|rpm|apk|mp3|mp4|wav|mov|avi|epub"})$`,
    "i",
  );

  use("outbound", () =>
    onLink((url) => {
      if (/^http/.test(url.protocol) && url.host != location.host)
        track("outbound link", { url: bare(url) });
    }),
  );

  use("downloads", () =>
    onLink((url) => {
      const found = /^http/.test(url.protocol) && url.pathname.match(file);
      if (found)
        track("file download", { url: bare(url), type: found[1].toLowerCase() });
    }),
  );

  // A submitted form: its id or name and its action, never the values of its fields.
  use("forms", () =>
    document.addEventListener(
      "submit",
      ({ target }) => {
        try {
          // Attributes, because a field named "id" or "action" hides the form's
          // property of that name.
          const own = (name) => target.getAttribute(name) || undefined;
          const action = new URL(own("action") || location, document.baseURI);
          track("form submit", { form: own("id") || own("name"), action: bare(action) });
        } catch {}
      },
      true,
    ),
  );

  // A "not found" page declares itself with data-404, because scripts cannot read
  // the response status in every browser.
  if (dataset["404"] != null && (wanted[0] == "" || wanted.includes("404")))
    wanted.push("404");
  use("404", () => {
    const [entry] = performance.getEntriesByType("navigation");
    if (dataset["404"] != null || entry?.responseStatus == 404)
      track("404", { path: location.pathname });
  });

  // Scroll depth and time are sent when a page is left: when it is hidden, or
  // replaced by the next page of a single-page application.
  let path = location.pathname;
  let depth = 0;
  let visibleSince = document.hidden ? 0 : performance.now();
  let visibleFor = 0;
  const measure = () => {
    const { scrollHeight, clientHeight } = document.documentElement;
    const seen = (scrollY + clientHeight) / Math.max(scrollHeight, 1);
    depth = Math.max(depth, Math.min(100, Math.round(seen * 100)));
  };
  const pause = () => {
    if (visibleSince) visibleFor += performance.now() - visibleSince;
    visibleSince = 0;
  };
  const leave = [];
  const left = (next) => {
    pause();
    for (const tell of leave) tell();
    if (next != path) depth = 0;
    path = next;
    visibleFor = 0;
    if (!document.hidden) visibleSince = performance.now();
  };

  let told = {};
  use("scroll", () => {
    addEventListener("scroll", measure, { passive: true, capture: true });
    addEventListener("load", measure);
    measure();
    // Each step is sent once per page, because tabs are hidden and shown often.
    leave.push(() => {
      const step = Math.floor(depth / 25) * 25;
      if (step && !(told[path] >= step)) {
        told = { [path]: step };
        track("scroll depth", { percent: step, path });
      }
    });
  });

  use("time", () =>
    leave.push(() => {
      const seconds = Math.round(visibleFor / 1000);
      if (seconds) track("time on page", { seconds, path });
    }),
  );

  if (leave.length) {
    addEventListener("pagehide", () => left(path));
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) left(path);
      else visibleSince = performance.now();
    });
    ["pushState", "replaceState"].map((name) => {
      const original = history[name];
      history[name] = (...args) => {
        const result = original.apply(history, args);
        if (location.pathname != path) left(location.pathname);
        return result;
      };
    });
    addEventListener("popstate", () => {
      if (location.pathname != path) left(location.pathname);
    });
  }
} catch {}
