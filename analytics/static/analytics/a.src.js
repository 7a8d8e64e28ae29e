// The tracker. Browsers get a.js, which is this file minified; docs/tracker.md
// has the command, and describes what is sent. With gzip, a.js stays under 1,024
// bytes: whatever the server can work out, such as the meaning of a call's
// arguments, is left to it. Always `let`: `const` beside it would cost 17 bytes.
// The try block is also the scope: only `ka` becomes global.
try {
  let { src, dataset } = document.currentScript;
  // The list of early calls from the stub, or from trackers loaded before.
  let queue = window.ka?.q || [];
  let trackers = queue.all = queue.all || {};

  // One tracker for each site key. A second copy for the same key (in the theme and
  // in a tag manager, or run again by Turbo) does not count page views twice.
  if (!trackers[dataset.site]) {
    let waiting = [];
    let counted, isBusy, last;

    // For the person who installs the snippet: logs each call and its result.
    let log = (...what) => dataset.debug == null || console.log(what);

    // Sends the waiting calls, one request at a time, so that calls are stored in
    // order: calls made during a request go together in the next one. When the page
    // is hidden, all are sent at once.
    let post = async (isLeaving) => {
      if (waiting[0] && (isLeaving || !isBusy)) {
        let at = performance.now() | 0;
        let calls = waiting.splice(0, 99);
        let body;
        // At most 2,000 characters, which are at most 6,000 bytes, unless a single
        // call is longer. The server accepts 8 KiB.
        while (
          (body = JSON.stringify({
            site: dataset.site,
            debug: dataset.debug,
            referrer: document.referrer.slice(0, 2000),
            // Tells the server when it received the previous calls.
            last: last?.slice(0, 99),
            at,
            calls,
          }))[2000] && calls[1]
        )
          waiting.unshift(calls.pop());
        // `keepalive`: the request outlives the page. If it fails within 0.1 s, it
        // never left the browser, because 64 KiB of such requests are in progress.
        // It is then sent as an ordinary one. A string is text/plain, which needs no
        // preflight.
        let send = (keepalive) =>
          // `data-api` is resolved against the page's address, not its <base>; the
          // default `a` against the script's address.
          fetch(new URL(dataset.api || "a", dataset.api ? location : src), {
            method: "POST",
            body,
            keepalive,
          }).catch(() => keepalive && 99 > performance.now() - at && send(0));
        isBusy = send(1);
        post(isLeaving);
        // False or 0 if the request failed.
        let answer = await isBusy;
        log(calls, (last = await answer.text?.().catch(() => {})));
        // After a failure (no answer, or status 429 and above), goals with an id are
        // sent again, in about 2,000 ms and up to 20 s after the call. Other calls
        // are not, because only an event with an id is counted once however often it
        // arrives.
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
        // Without the fragment, which may contain secrets, unless the page declares
        // with data-hash that its fragments are routes.
        let url = new URL(call[1]?.url || location, document.baseURI).href.split(
          dataset.hash == null ? "#" : " ",
        )[0];
        call = [
          0,
          // A long URL keeps only host, path, routes in the fragment, and the
          // parameters that name the source of a visit: utm_..., ref, source,
          // gad_source, tblci, dicbo, epik, igsh, and click ids whose names end with
          // id.
          url[2000]
            ? url
                .replace(/([?&])(?!.{0,9}(epi|dic|rce=|ref=|tbl|utm|id=|igs))[^&#]*/gi, "$1")
                .slice(0, 2000)
            : url,
          // Copies, since pages change their objects. An argument that JSON cannot
          // represent is left out, and the rest of the call is sent.
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
          // Pages of file:, about:, blob: and data: have no host.
          (location.host
            ? self != top && dataset.iframe == null && "iframe"
            : location.protocol);
        // Browsers that block storage throw an error.
        try {
          refusal = refusal || localStorage.kaOff;
        } catch {}
        if (refusal) log(call, refusal);
        else {
          call[0] = performance.now() | 0;
          waiting.push(call);
          // Calls made in the same task share a request.
          await 0;
          post(document.hidden);
        }
      } catch {}
    });

    queue.push = async (call) => {
      for (let site in trackers) trackers[site](call);
    };
    // Functions that a page took from the stub push to the same list.
    window.ka = { q: queue };
    ["track", "goal", "page"].map(
      (name) => (ka[name] = (...args) => queue.push([name, ...args])),
    );

    // Counts a page view unless the path is the one already counted: a changed query
    // is not a new page, nor is the same address written again by a router. A page
    // that the back button restores from the browser's memory is a new view.
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
      // The browser's own method is called first; its errors go to the page.
      history[name] = (...args) => visit(original.apply(history, args));
    });
    addEventListener("popstate", visit);
    addEventListener("pageshow", visit);
    // The event is passed as `isLeaving`. That is harmless when the page is shown,
    // because no calls wait while it is hidden.
    addEventListener("pagehide", post);
    addEventListener("visibilitychange", post);
    visit();
    queue.map(run);
  }
} catch {}
