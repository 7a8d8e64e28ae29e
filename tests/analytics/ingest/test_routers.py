"""Page views of routers that keep their routes in the fragment, with data-hash.

The real React Router and Vue Router, as npm has them. They are not kept here: without
npm, or without a way to its registry, these tests are skipped.
"""

import shutil
import subprocess
import tarfile

import pytest

from tests.halves import on_sqlite

pytestmark = on_sqlite

PACKAGES = {
    "react@18.3.1": "umd/react.production.min.js",
    "react-dom@18.3.1": "umd/react-dom.production.min.js",
    "@remix-run/router@1.23.0": "dist/router.umd.min.js",
    "react-router@6.30.1": "dist/umd/react-router.production.min.js",
    "react-router-dom@6.30.1": "dist/umd/react-router-dom.production.min.js",
    "vue@3.5.22": "dist/vue.global.prod.js",
    "vue-router@4.5.1": "dist/vue-router.global.prod.js",
}
REACT = """
const { HashRouter, Link, useNavigate } = ReactRouterDOM, make = React.createElement;
const Tidy = () => {
  const go = useNavigate();
  return make("button", { onClick: () => go("/paid", { replace: true }) }, "tidy");
};
ReactDOM.createRoot(document.querySelector("#app")).render(make(HashRouter, null,
  make(Link, { to: "/cart?step=1" }, "cart"),
  make(Link, { to: "/cart?step=2" }, "more"),
  make(Link, { to: "/thanks" }, "thanks"), make(Tidy)));
"""
VUE = """
const router = VueRouter.createRouter({ history: VueRouter.createWebHashHistory(),
  routes: [{ path: "/:any(.*)", component: { template: "<p></p>" } }] });
Vue.createApp({
  template: `<router-link to="/cart?step=1">cart</router-link>
    <router-link to="/cart?step=2">more</router-link>
    <router-link to="/thanks">thanks</router-link>
    <button @click="$router.replace('/paid')">tidy</button><router-view />`,
}).use(router).mount("#app");
"""
APPLICATIONS = {"react": (REACT, "re"), "vue": (VUE, "vue")}


@pytest.fixture(scope="session")
def builds(tmp_path_factory):
    """The files of the packages, by package."""
    folder = tmp_path_factory.mktemp("routers")
    if shutil.which("npm") is None:
        pytest.skip("no npm on the PATH")
    packed = subprocess.run(
        ["npm", "pack", "--silent", "--fetch-retries=0", *PACKAGES],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    if packed.returncode:
        pytest.skip(f"npm has no way to its registry: {packed.stderr[-200:]}")
    found = {}
    for (package, path), file in zip(
        PACKAGES.items(), packed.stdout.split(), strict=True
    ):
        with tarfile.open(folder / file) as archive:
            member = archive.extractfile(f"package/{path}")
            assert member
            found[package] = member.read().decode()
    return found


@pytest.fixture(params=APPLICATIONS)
def application(request, builds, website):
    """A website with the application at /app/."""
    code, beginning = APPLICATIONS[request.param]
    scripts = ""
    for number, (package, text) in enumerate(builds.items()):
        if package.lstrip("@").startswith(beginning):
            website.answers[f"/{number}.js"] = text
            scripts += f"<script src=/{number}.js></script>"
    website.answers["/app.js"] = code
    website.attributes += " data-hash"
    website.answers["/app/"] = (
        f"<!doctype html><div id=app></div>{scripts}"
        f"<script src=/app.js></script>{website.tag}"
    )


def test_routes_of_a_hash_router_are_pages(application, visitor):
    visitor.open("/app/?utm_source=news#/")
    for text, route in (
        ("cart", "cart?step=1"),
        ("more", "cart?step=2"),
        ("thanks", "thanks"),
        ("tidy", "paid"),
    ):
        visitor.page.click(f"text={text}")
        # Changes of the fragment are no navigations that Playwright would wait for.
        visitor.page.wait_for_function(
            "route => location.hash == '#/' + route", arg=route
        )
    visitor.run_until("popstate", "history.back()")
    page = "/app/?utm_source=news#/"
    assert visitor.views() == [
        page,
        page + "cart?step=1",
        page + "thanks",
        page + "paid",
        page + "cart?step=2",
    ]


def test_hash_router_without_a_route_is_one_page(application, visitor):
    visitor.open("/app/")
    visitor.page.wait_for_selector("text=tidy")
    visitor.settle()
    assert len(visitor.views()) == 1
