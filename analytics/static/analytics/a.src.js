// The tracker. Browsers get a.js, which is this file minified; docs/tracker.md
// has the command. The site promises that a.js stays under 1,024 bytes.
// The try block is also the scope: nothing but `ka` becomes global.
try {
  const doc = document;
  const nav = navigator;
  const { dataset, src } = doc.currentScript;
  const queue = window.ka?.q || [];

  // A loaded tracker's q is no array, so a second copy of the script (theme
  // and tag manager, or Turbo running it again) does not count twice.
  if (queue.map) {
    let counted;
    // data-api is used as written, so a path is one of the page's own host.
    const api = dataset.api || new URL("/api/v1/analytics/collect", src);

    // Async so that a failed fetch lands in the same catch as all else. Up to
    // the first await it runs at once, inside the caller's call.
    const send = async (type, options, name, revenue) => {
      try {
        // JSON.stringify drops what is undefined: absent fields stay absent.
        const body = JSON.stringify({
          site: dataset.site,
          type,
          name,
          // Relative URLs become absolute. None means this page, without its
          // fragment, which may hold secrets and is nobody's business.
          url: new URL(options?.url || "", location),
          referrer: doc.referrer || undefined,
          // "49.99" out of a data attribute is an amount. "n/a" becomes null,
          // none: it must not cost the conversion it came with.
          revenue: revenue == null ? revenue : +revenue,
          props: options?.props,
          // Many shops number their orders; on the wire an id is text.
          id: options?.id ? "" + options.id : undefined,
        });
        // A page that is only prerendered has no visitor yet. The second
        // spelling is that of older WebKit.
        if (doc.prerendering || doc.visibilityState == "prerender")
          await new Promise((shown) =>
            doc.addEventListener(
              doc.prerendering ? "prerenderingchange" : "visibilitychange",
              shown,
            ),
          );
        // The beacon survives leaving the page; false means its queue is full.
        // A string body is text/plain, which needs no preflight.
        nav.doNotTrack == 1 ||
          nav.globalPrivacyControl ||
          nav.sendBeacon?.(api, body) ||
          (await fetch(api, { method: "POST", body, keepalive: true }));
      } catch {}
    };

    const ka = (window.ka = {
      track: (name, props) => send("event", { props }, name),
      goal: (name, revenue, options) => send("goal", options, name, revenue),
      page: (options) => send("pageview", options),
      // Code that took ka.track from the stub still pushes here: run it at once.
      q: { push: ([method, ...args]) => ka[method](...args) },
    });

    // Counts a page view unless the address is the one already counted, so a
    // router's replaceState and hash changes add nothing. A page that the
    // back button takes out of the browser's memory is a new view.
    const visit = (event) => {
      const url = location.href.split("#")[0];
      if (url != counted || event?.persisted) {
        counted = url;
        ka.page();
      }
    };

    ["pushState", "replaceState"].map((method) => {
      const original = history[method];
      // First the browser's own method, whose errors are the page's business.
      history[method] = (...args) => visit(original.apply(history, args));
    });
    ["popstate", "pageshow"].map((name) => addEventListener(name, visit));
    visit();
    queue.map(ka.q.push);
  }
} catch {}
