"""Mail, where EMAIL_URL is set. Whatever a mail says can be had without it."""

import logging

from django.conf import settings
from django.core.mail import send_mail

logger = logging.getLogger(__name__)


def is_configured() -> bool:
    return bool(settings.EMAIL_URL)


def send(subject: str, text: str, address: str) -> bool:
    """Whether the server took it. Its failure is logged without the address."""
    if not is_configured():
        return False
    try:
        send_mail(subject, text, None, [address])
    except OSError as error:
        # SMTPException is one too. Its text quotes the address.
        logger.error("Mail was not sent: %s", type(error).__name__)
        return False
    return True
