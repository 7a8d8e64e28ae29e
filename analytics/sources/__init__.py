"""Where visitors come from: what the labels that were stored mean for a site.

Pure. `rules_of(site)` is the front door.
"""

from analytics.sources.hosts import normal
from analytics.sources.rules import DIRECT, Rules, Source, rules_of

__all__ = ["DIRECT", "Rules", "Source", "normal", "rules_of"]
