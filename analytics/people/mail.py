"""Send mail if EMAIL_URL is set. All information in mails is also available without
mail.
"""

import logging

from django.conf import settings
from django.core.mail import send_mail

logger = logging.getLogger(__name__)


def is_configured() -> bool:
    return bool(settings.EMAIL_URL)


def send(subject: str, text: str, address: str) -> bool:
    """Return whether the server accepted the mail. A failure is logged without the
    address.
    """
    if not is_configured():
        return False
    try:
        send_mail(subject, text, None, [address])
    except OSError as error:
        # SMTPException is one too. Its text quotes the address.
        logger.error("Mail was not sent: %s", type(error).__name__)
        return False
    return True
