"""`/.well-known/security.txt`: the contacts for security reports (RFC 9116)."""

from datetime import timedelta

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from krafter import clock

# RFC 9116 recommends less than a year. The service renews it as long as it runs.
_VALID = timedelta(days=180)


@require_safe
def security_txt(request: HttpRequest) -> HttpResponse:
    """Return 404 if SECURITY_CONTACT is not set."""
    if not settings.SECURITY_CONTACT:
        raise Http404
    midnight = clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    lines = [f"Contact: {contact}" for contact in settings.SECURITY_CONTACT]
    lines.append(f"Expires: {midnight + _VALID:%Y-%m-%dT%H:%M:%SZ}")
    if settings.SECURITY_POLICY:
        lines.append(f"Policy: {settings.SECURITY_POLICY}")
    lines.append("Preferred-Languages: en")
    lines.append(f"Canonical: {request.build_absolute_uri(request.path)}")
    text = "".join(f"{line}\n" for line in lines)
    return HttpResponse(text, content_type="text/plain; charset=utf-8")
