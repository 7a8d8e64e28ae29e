"""Real browsers for the tests of the tracker: Debian's Chromium and Firefox ESR.

Playwright drives both. Its own Firefox is not needed: it also speaks WebDriver
BiDi, which every Firefox does. Firefox ESR lacks one command that Playwright sends
for each new context (to override media features); so this file, run as a program
in Firefox's place, passes on all messages but that one.
"""

import asyncio
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import websockets
from playwright.sync_api import Browser, BrowserContext, Playwright, sync_playwright

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Browsers say so when a program drives them, and the tracker counts no programs.
# Chromium has a flag against it, Firefox only what runs before a page's scripts.
UNNOTICED = "--disable-blink-features=AutomationControlled"
UNNOTICED_SCRIPT = (
    "Object.defineProperty(Navigator.prototype, 'webdriver', {get: () => false})"
)


def executable(name: str) -> str:
    path = shutil.which(name)
    # A machine without a browser may skip these tests, the gate may not.
    if path is None and os.environ.get("CI") == "true" and name == "chromium":
        pytest.fail("the tracker's tests need chromium on the PATH")
    if path is None:
        pytest.skip(f"no {name} on the PATH")
    return path


@contextmanager
def running(name: str, folder: Path) -> Iterator[Browser]:
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Playwright keeps an event loop on this thread, in which Django
        # suspects concurrency. There is none: each call blocks until answered.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = launch(playwright, name, folder)
        yield browser
        browser.close()


def launch(
    playwright: Playwright, name: str, folder: Path, *, is_noticed: bool = False
) -> Browser:
    """Start a browser; `is_noticed`: let pages see that a program drives it."""
    if name == "chromium":
        return playwright.chromium.launch(
            executable_path=executable(name),
            args=FLAGS if is_noticed else [*FLAGS, UNNOTICED],
            # Playwright turns off the cache that one of the tests is about.
            ignore_default_args=["--disable-back-forward-cache"],
        )
    executable("firefox-esr")
    program = folder / "firefox"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{__file__}" "$@"\n')
    program.chmod(0o700)
    return playwright.firefox.launch(channel="moz-firefox", executable_path=program)


def new_context(browser: Browser, **options: Any) -> BrowserContext:
    """A context whose pages do not see that a program drives the browser."""
    context = browser.new_context(**options)
    context.add_init_script(UNNOTICED_SCRIPT)
    return context


_UNKNOWN = "emulation.setMediaFeaturesOverride"


async def relay(arguments: list[str]) -> None:
    """Run Firefox, and pass on what is said to it and what it says."""
    browser = await asyncio.create_subprocess_exec(
        "firefox-esr", *arguments, stderr=asyncio.subprocess.PIPE
    )
    assert browser.stderr is not None
    async for line in browser.stderr:
        if address := re.search(rb"listening on (ws://\S+)", line):
            break
    else:
        sys.exit("Firefox did not start")

    async def serve(client: websockets.ServerConnection) -> None:
        where = address[1].decode() + "/session"
        async with websockets.connect(where, max_size=None) as session:

            async def ask() -> None:
                async for message in client:
                    sent = json.loads(message)
                    if sent["method"] != _UNKNOWN:
                        await session.send(message)
                        continue
                    done = {"type": "success", "id": sent["id"], "result": {}}
                    await client.send(json.dumps(done))

            async def tell() -> None:
                async for message in session:
                    await client.send(message)

            parts = [asyncio.ensure_future(part()) for part in (ask, tell)]
            await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)

    async with websockets.serve(serve, "127.0.0.1", 0, max_size=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        sys.stderr.write(f"WebDriver BiDi listening on ws://127.0.0.1:{port}\n")
        async for _ in browser.stderr:
            pass
        await browser.wait()


if __name__ == "__main__":
    asyncio.run(relay(sys.argv[1:]))
