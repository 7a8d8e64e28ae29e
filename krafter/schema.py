"""How the OpenAPI document describes the envelope and the errors."""

from drf_spectacular.openapi import AutoSchema


class EnvelopeSchema(AutoSchema):
    """Filled in with the document itself."""
