// The tracker. Browsers get a.js, which is this file minified; docs/tracker.md
// has the command, and tells what is sent. a.js stays under 1,024 bytes as sent
// with gzip: what can be told later, such as the meaning of a call's arguments,
// is left to the server. Always `let`: `const` beside it would cost 17 bytes.
// The try block is also the scope: nothing but `ka` becomes global.
try {
  let { src, dataset } = document.currentScript;
  // The stub's list of early calls, or that of the trackers loaded before.
  let queue = window.ka?.q || [];
  let trackers = queue.all = queue.all || {};

  // One tracker for each site key. A second copy of the same (theme and tag
  // manager, or Turbo running it again) does not count twice.
  if (!trackers[dataset.site]) {
    let waiting = [];
    let counted, isBusy, last;

    // For whoever installs the snippet: each call, and what became of it.
    let log = (...what) => dataset.debug == null || console.log(what);

    // Sends what waits, one request at a time: what is called meanwhile goes
    // together in the next one, so that calls are stored in their order. When
    // the page hides all goes at once.
    let post = async (isLeaving) => {
      if (waiting[0] && (isLeaving || !isBusy)) {
        let at = performance.now() | 0;
        let calls = waiting.splice(0, 99);
        let body;
        // At most 2,000 characters, which are at most 6,000 bytes, unless one
        // call alone is longer. The server takes 8 KiB.
        while (
          (body = JSON.stringify({
            site: dataset.site,
            debug: dataset.debug,
            referrer: document.referrer.slice(0, 2000),
            // Says when the server got the calls before these.
            last: last?.slice(0, 99),
            at,
            calls,
          }))[2000] && calls[1]
        )
          waiting.unshift(calls.pop());
        // A request that outlives the page. One that fails at once (0.1 s) never left
        // the browser: 64 KiB of such requests are under way, so it is sent as
        // an ordinary one. A string is text/plain, which needs no preflight.
        let send = (keepalive) =>
          // Paths are those of the page's own host, whatever its <base> says.
          fetch(new URL(dataset.api || "a", dataset.api ? location : src), {
            method: "POST",
            body,
            keepalive,
          }).catch(() => keepalive && 99 > performance.now() - at && send(0));
        isBusy = send(1);
        post(isLeaving);
        // False or 0 if there is none.
        let answer = await isBusy;
        log(calls, (last = await answer.text?.().catch(() => {})));
        // Only a goal with an id may be sent again, because it is counted once
        // however often it arrives. That is some 2,000 ms later.
        setTimeout(
          () => post((isBusy = 0)),
          429 > answer.status ||
            2000 +
              waiting.unshift(
                ...calls.filter(
                  (call) =>
                    call[2] == "goal" &&
                    20000 > at - call[0] &&
                    call.some((part) => part?.id),
                ),
              ),
        );
      }
    };

    // A call is its method and arguments: ["goal", "purchase", 49.99].
    let run = (trackers[dataset.site] = async (call) => {
      try {
        // Without its fragment, which may hold secrets and is nobody's
        // business, unless the page says that it holds routes.
        let url = new URL(call[1]?.url || location, document.baseURI).href.split(
          dataset.hash == null ? "#" : " ",
        )[0];
        call = [
          0,
          // Of a long one stay host, path, routes in the fragment, and what tells
          // where visits come from: utm_..., ref, source, gad_source, tblci, dicbo,
          // epik, igsh, and the click ids whose names end with id.
          url[2000]
            ? url
                .replace(/([?&])(?!.{0,9}(epi|dic|rce=|ref=|tbl|utm|id=|igs))[^&#]*/gi, "$1")
                .slice(0, 2000)
            : url,
          // Copies, since pages change their objects. What JSON cannot hold is
          // left out and must not cost the call.
          ...call.map((part) => {
            try {
              return JSON.parse(JSON.stringify(part));
            } catch {}
          }),
        ];

        // A page that is only prerendered has no visitor yet.
        if (document.prerendering)
          await new Promise((shown) => document.addEventListener("prerenderingchange", shown));

        let refusal =
          ["doNotTrack", "globalPrivacyControl", "webdriver"].find(
            (name) => navigator[name] == 1,
          ) ||
          // Only pages of the web have a host: no file:, about:, blob:, data:.
          (location.host
            ? self != top && dataset.iframe == null && "iframe"
            : location.protocol);
        // Browsers that deny storage throw.
        try {
          refusal = refusal || localStorage.kaOff;
        } catch {}
        if (refusal) log(call, refusal);
        else {
          call[0] = performance.now() | 0;
          waiting.push(call);
          // Calls that a page makes in one go share a request.
          await 0;
          post(document.hidden);
        }
      } catch {}
    });

    queue.push = async (call) => {
      for (let site in trackers) trackers[site](call);
    };
    // Functions taken from the stub push into the same list.
    window.ka = { q: queue };
    ["track", "goal", "page"].map(
      (name) => (ka[name] = (...args) => queue.push([name, ...args])),
    );

    // Counts a page view unless the path is the one already counted: a query
    // that changes makes no new page, nor does a router that writes the same
    // address again. A page that the back button takes out of the browser's
    // memory is a new view.
    let visit = (event) => {
      (counted ==
        (counted =
          location.pathname +
          (dataset.hash == null || location.hash.split("?")[0])) &&
        !event?.persisted) ||
        run(["page"]);
    };

    ["pushState", "replaceState"].map((name) => {
      let original = history[name];
      // First the browser's own method, whose errors are the page's business.
      history[name] = (...args) => visit(original.apply(history, args));
    });
    addEventListener("popstate", visit);
    addEventListener("pageshow", visit);
    // Nothing waits while a page is hidden, so that all may go when it is shown, too.
    addEventListener("pagehide", post);
    addEventListener("visibilitychange", post);
    visit();
    queue.map(run);
  }
} catch {}
