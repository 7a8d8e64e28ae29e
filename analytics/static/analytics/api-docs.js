// In a file of its own: the page's Content-Security-Policy allows no inline script.
(() => {
  const KEY = "krafter.api-key";
  const root = document.documentElement;

  // Swagger UI draws itself dark below this class.
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const draw = () => root.classList.toggle("dark-mode", dark.matches);
  dark.addEventListener("change", draw);
  draw();

  // The key stays for the session of this tab, and goes with it.
  const session = {
    get: () => {
      try {
        return sessionStorage.getItem(KEY);
      } catch {
        return null;
      }
    },
    set: (value) => {
      try {
        if (value) sessionStorage.setItem(KEY, value);
        else sessionStorage.removeItem(KEY);
      } catch {
        /* It holds until the page is left. */
      }
    },
  };
  const keepKey = () => ({
    statePlugins: {
      auth: {
        wrapActions: {
          authorize: (act) => (given) => {
            session.set(given.apiKey?.value);
            return act(given);
          },
          logout: (act) => (names) => {
            session.set(null);
            return act(names);
          },
        },
      },
    },
  });

  // Samples: of a request that Swagger UI shows, in the words of each language.
  const parts = (request) => {
    const headers = {};
    request.get("headers")?.forEach((value, name) => (headers[name] = value));
    return {
      method: request.get("method"),
      url: request.get("url"),
      headers,
      body: request.get("body") ?? "",
    };
  };
  const text = (value) => JSON.stringify(String(value));
  const single = (value) =>
    `'${String(value).replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
  const lines = (headers, line) => Object.entries(headers).map(line).join("");

  const python = (request) => {
    const { method, url, headers, body } = parts(request);
    return `import requests

answer = requests.request(
    ${text(method)},
    ${text(url)},
    headers={${lines(headers, ([name, value]) => `\n        ${text(name)}: ${text(value)},`)}
    },${body && `\n    data=${text(body)},`}
)
answer.raise_for_status()
print(answer.json())`;
  };
  const typescript = (request) => {
    const { method, url, headers, body } = parts(request);
    return `const answer = await fetch(${text(url)}, {
  method: ${text(method)},
  headers: {${lines(headers, ([name, value]) => `\n    ${text(name)}: ${text(value)},`)}
  },${body && `\n  body: ${text(body)},`}
});
if (!answer.ok) throw new Error(await answer.text());
console.log(await answer.json());`;
  };
  const php = (request) => {
    const { method, url, headers, body } = parts(request);
    return `<?php
$request = curl_init(${single(url)});
curl_setopt_array($request, [
    CURLOPT_CUSTOMREQUEST => ${single(method)},
    CURLOPT_RETURNTRANSFER => true,
    CURLOPT_HTTPHEADER => [${lines(headers, ([name, value]) => `\n        ${single(`${name}: ${value}`)},`)}
    ],${body && `\n    CURLOPT_POSTFIELDS => ${single(body)},`}
]);
print_r(json_decode(curl_exec($request), true));`;
  };
  const go = (request) => {
    const { method, url, headers, body } = parts(request);
    return `package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
)

func main() {
	body := strings.NewReader(${text(body)})
	request, err := http.NewRequest(${text(method)}, ${text(url)}, body)
	if err != nil {
		panic(err)
	}${lines(headers, ([name, value]) => `\n	request.Header.Set(${text(name)}, ${text(value)})`)}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		panic(err)
	}
	defer answer.Body.Close()
	read, _ := io.ReadAll(answer.Body)
	fmt.Println(answer.Status, string(read))
}`;
  };
  const samples = () => ({
    fn: {
      requestSnippetGenerator_python: python,
      requestSnippetGenerator_typescript: typescript,
      requestSnippetGenerator_php: php,
      requestSnippetGenerator_go: go,
    },
  });

  // Search: what is written stands in an operation's address, id or summary.
  const search = document.getElementById("search");
  const find = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const section of document.querySelectorAll(".opblock-tag-section")) {
      let found = 0;
      for (const operation of section.querySelectorAll(".opblock")) {
        const said = `${operation.id} ${operation.textContent}`.toLowerCase();
        operation.hidden = !words.every((word) => said.includes(word));
        found += operation.hidden ? 0 : 1;
      }
      section.hidden = words.length > 0 && found === 0;
    }
  };
  search.addEventListener("input", find);

  const docs = SwaggerUIBundle({
    url: document.getElementById("docs").dataset.document,
    dom_id: "#docs",
    deepLinking: true,
    displayRequestDuration: true,
    docExpansion: "list",
    persistAuthorization: false,
    tryItOutEnabled: true,
    // The default asks a service elsewhere.
    validatorUrl: null,
    plugins: [keepKey, samples],
    requestSnippetsEnabled: true,
    requestSnippets: {
      generators: {
        curl_bash: { title: "curl", syntax: "bash" },
        python: { title: "Python", syntax: "python" },
        typescript: { title: "TypeScript", syntax: "javascript" },
        php: { title: "PHP", syntax: "php" },
        go: { title: "Go", syntax: "go" },
      },
      defaultExpanded: true,
    },
    onComplete: () => {
      find();
      // It may be called before `docs` is there.
      setTimeout(() => {
        const key = session.get();
        if (key) docs.preauthorizeApiKey("apiKey", key);
      });
    },
  });
})();
