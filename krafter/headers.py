"""Headers that restrict what a browser may do with a response.

Pages have their own policy (`krafter.pages`), and so has the page of the API reference.
All other responses allow nothing.
"""

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

# Answers of programs: nothing in them is to be loaded, run, framed or sent.
STRICT = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# As strict as unfold allows. Its pages use Alpine, which makes functions of the
# attributes of elements ('unsafe-eval'), and style attributes. No script is inline.
ADMIN = (
    "default-src 'none'; script-src 'self' 'unsafe-eval';"
    " style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self';"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_ADMIN_PATH = "/admin"
# What no page of this service asks a browser for. Copying is asked for.
PERMISSIONS = ", ".join(
    f"{name}=()"
    for name in (
        "accelerometer",
        "autoplay",
        "browsing-topics",
        "camera",
        "display-capture",
        "encrypted-media",
        "fullscreen",
        "geolocation",
        "gyroscope",
        "hid",
        "identity-credentials-get",
        "idle-detection",
        "local-fonts",
        "magnetometer",
        "microphone",
        "midi",
        "payment",
        "picture-in-picture",
        "publickey-credentials-create",
        "publickey-credentials-get",
        "screen-wake-lock",
        "serial",
        "storage-access",
        "usb",
        "xr-spatial-tracking",
    )
)


class SecurityHeadersMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if response.status_code == 304:
            # Its headers replace those of the answer that the client has kept: a
            # page would lose the policy with which it works.
            return response
        is_admin = request.path_info.startswith(_ADMIN_PATH)
        policy = ADMIN if is_admin else STRICT
        response.headers.setdefault("Content-Security-Policy", policy)
        response.headers.setdefault("Permissions-Policy", PERMISSIONS)
        return response
