"""Settings of the whole installation, all of them from the environment.

docs/operations.md lists every variable with its meaning and default.
"""

import re
import secrets
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import dj_database_url
from django.apps import apps
from django.contrib import admin
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy

from krafter import env, installation, logs, private_files

DATA_DIR = installation.data_dir()
PRODUCTION = env.flag("PRODUCTION")
DEBUG = env.flag("DEBUG")
if DEBUG and PRODUCTION:
    raise ImproperlyConfigured("DEBUG shows secrets to visitors: not with PRODUCTION")


def _make_data_dir() -> None:
    try:
        private_files.make_folder(DATA_DIR)
        with tempfile.TemporaryFile(dir=DATA_DIR):
            pass
    except OSError as error:
        raise ImproperlyConfigured(
            f"DATA_DIR cannot be written: {error.strerror}: {DATA_DIR}"
        ) from None


def _secret_key() -> str:
    """Return the configured key; outside production, a key created once and stored."""
    if PRODUCTION:
        return env.secret("SECRET_KEY")
    if configured := env.text("SECRET_KEY"):
        return configured
    path = DATA_DIR / "secret_key"
    if not path.exists():
        # Exclusive creation: of two processes starting at once, one makes it.
        try:
            with private_files.new(path) as file:
                file.write(secrets.token_urlsafe(50))
        except FileExistsError:
            pass
    return path.read_text()


_make_data_dir()
SECRET_KEY = _secret_key()
# Previous keys: what they signed stays valid until they are removed from this list.
SECRET_KEY_FALLBACKS = env.listing("SECRET_KEY_FALLBACKS")
# The key of stored hashes, which must stay the same: of visitors with a `visitor_id`,
# of imported lines, and of idempotency keys.
DATA_KEY = env.text("DATA_KEY") or SECRET_KEY
if SECRET_KEY_FALLBACKS and DATA_KEY == SECRET_KEY:
    raise ImproperlyConfigured(
        "DATA_KEY must be set to the first SECRET_KEY that this database was used with:"
        " visitors would be others under the new one"
    )
ALLOWED_HOSTS = env.listing(
    "ALLOWED_HOSTS", "" if PRODUCTION else "localhost,127.0.0.1,[::1]"
)
if not ALLOWED_HOSTS:
    raise ImproperlyConfigured("ALLOWED_HOSTS must be set")
CSRF_TRUSTED_ORIGINS = env.listing("CSRF_TRUSTED_ORIGINS")

# Requests a minute; 0 turns a limit off.
RATE_LIMIT_API = env.integer("RATE_LIMIT_API", 100)
RATE_LIMIT_COLLECT = env.integer("RATE_LIMIT_COLLECT", 200)
# Whether workers count closed days before they are queried.
COUNT_AHEAD = env.flag("COUNT_AHEAD", default=True)
# Whether the demo shop receives visits while the service runs; `make run` sets it.
DEMO_VISITS = env.flag("DEMO_VISITS") and not PRODUCTION
# The maximum of settings in days: the date that they lead to must exist.
_CENTURY = 36_500
# Days in which a deleted site can be restored; then it is erased. 0: never erased.
SITE_DELETION_DAYS = env.integer("SITE_DELETION_DAYS", 30, maximum=_CENTURY)
# The disk space of the database, which servers do not report. 0: unknown.
DATABASE_GIGABYTES = env.integer("DATABASE_GIGABYTES", 0)
# The maximum number of sites of a team. 0: unlimited.
MAX_SITES = env.integer("MAX_SITES", 1_000)
# Days after which a key expires by default. 0: never.
KEY_DAYS = env.integer("KEY_DAYS", 0, maximum=_CENTURY)
# Attempts a minute: unknown API keys of an address; passwords of an address or account.
RATE_LIMIT_UNKNOWN_KEYS = env.integer("RATE_LIMIT_UNKNOWN_KEYS", 20)
RATE_LIMIT_SIGN_IN = env.integer("RATE_LIMIT_SIGN_IN", 10)
# Days that the audit trail is kept; the database refuses to delete newer entries.
AUDIT_DAYS = env.integer("AUDIT_DAYS", 365, minimum=30, maximum=_CENTURY)
# X-Forwarded-For and Forwarded are read only from these proxies.
TRUSTED_PROXIES = env.networks("TRUSTED_PROXIES")
# The bits of an IPv6 address that identify a client.
IPV6_PREFIX = env.integer("IPV6_PREFIX", 64, minimum=1, maximum=128)

# New names and labels of a site in a day; beyond these, (other). 0: unlimited.
MAX_NEW_PATHS = env.integer("MAX_NEW_PATHS", 20_000)
MAX_NEW_NAMES = env.integer("MAX_NEW_NAMES", 2_000)
MAX_NEW_LABELS = env.integer("MAX_NEW_LABELS", 20_000)

# Timeouts in seconds: for a request's head and for an idle connection; for a body; for
# sending a part of the response. Long enough for a slow phone, short enough that
# nobody can occupy the service with unfinished requests.
_HOUR = 3_600
HEAD_SECONDS = env.integer("HEAD_SECONDS", 20, minimum=1, maximum=60)
BODY_SECONDS = env.integer("BODY_SECONDS", 10, minimum=1, maximum=_HOUR)
SEND_SECONDS = env.integer("SEND_SECONDS", 30, minimum=1, maximum=_HOUR)
# The maximum number of unfinished bodies per client address; proxies are exempt.
UNFINISHED_BODIES = env.integer("UNFINISHED_BODIES", 50, minimum=1)
# Threads of a worker for all requests except the tracker's.
THREADS = env.integer("THREADS", 16, minimum=1)
WORKERS = env.integer("WORKERS", 1, minimum=1)

# /metrics may be read with this key as a Bearer token, or from these addresses.
METRICS_KEY = env.text("METRICS_KEY")
METRICS_NETWORKS = env.networks("METRICS_NETWORKS")
# Origins of other hosts whose pages may use MCP.
MCP_ORIGINS = env.listing("MCP_ORIGINS")
# The contacts and the policy in /.well-known/security.txt.
SECURITY_CONTACT = env.listing("SECURITY_CONTACT")
if any(not re.fullmatch(r"(mailto:|https://|tel:)\S+", c) for c in SECURITY_CONTACT):
    raise ImproperlyConfigured(
        "SECURITY_CONTACT must be URLs that begin with mailto:, https:// or tel:"
    )
SECURITY_POLICY = env.url("SECURITY_POLICY", ("https",))
# Long queries and exports that run at once, per worker and per team.
LONG_QUESTIONS = env.integer("LONG_QUESTIONS", 4, minimum=1)
LONG_QUESTIONS_PER_TEAM = env.integer("LONG_QUESTIONS_PER_TEAM", 2, minimum=1)
# Disk space per worker for responses that clients have not yet read.
SPOOL_MEGABYTES = env.integer("SPOOL_MEGABYTES", 1_024)

# A country database in MaxMind's format, used instead of the built-in table.
GEOIP_DATABASE = env.text("GEOIP_DATABASE")
# The header in which trusted proxies send the country, for example CF-IPCountry.
COUNTRY_HEADER = env.header("COUNTRY_HEADER")
if COUNTRY_HEADER and not TRUSTED_PROXIES:
    raise ImproperlyConfigured("COUNTRY_HEADER requires TRUSTED_PROXIES")

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    # Before Django's apps, because their commands replace Django's.
    "analytics",
    "goals",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_filters",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]
MIDDLEWARE = [
    "krafter.request_ids.RequestIdMiddleware",
    "analytics.access.audit.AuditMiddleware",
    "krafter.headers.SecurityHeadersMiddleware",
    # Again below, before answers are compressed: here for what the next ones refuse.
    "krafter.errors.JsonErrorMiddleware",
    "krafter.metrics.QuestionTimesMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "krafter.static_files.HashedFilesMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "krafter.pages.PagesMiddleware",
    "analytics.access.throttling.RateLimitHeadersMiddleware",
    "krafter.watch.DatabaseMiddleware",
    "analytics.questions.long_questions.LongQuestionsMiddleware",
    "krafter.caching.CachingMiddleware",
    "krafter.errors.JsonErrorMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "analytics.people.proxy.ProxySignInMiddleware",
    "analytics.people.sessions.SessionEndsMiddleware",
    "analytics.people.required_factor.RequiredFactorMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "krafter.urls"
# No form has a file field: uploaded files are discarded.
FILE_UPLOAD_HANDLERS: list[str] = []
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [installation.TEMPLATES],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
            "libraries": {"dates": "krafter.dates"},
        },
    }
]


def _database(url: str) -> Any:
    try:
        found = dj_database_url.parse(url, conn_max_age=600, conn_health_checks=True)
        # Django would only find out later, and log a traceback.
        if not found["NAME"]:
            raise ValueError("no name")
    # Any error: its message would quote the password.
    except Exception:
        raise ImproperlyConfigured(
            "DATABASE_URL must be like postgres://user:password@host/name"
            " or sqlite:////path"
        ) from None
    return found


DATABASES = {
    "default": _database(
        env.text("DATABASE_URL", f"sqlite:///{DATA_DIR / 'krafter.sqlite3'}")
    )
}
_engine = DATABASES["default"]["ENGINE"].rpartition(".")[2]
if _engine == "sqlite3":
    _file = DATABASES["default"]["NAME"]
    if _file and ":memory:" not in _file:
        try:
            private_files.make_database(Path(_file))
        except OSError as error:
            raise ImproperlyConfigured(
                f"DATABASE_URL names a file that cannot be opened: {error.strerror}:"
                f" {_file}"
            ) from None
    DATABASES["default"]["OPTIONS"] = {
        # A write that begins as a read cannot be retried by SQLite's own
        # busy handler; IMMEDIATE queues writers instead of failing them.
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        # WAL lets readers go on while one writes. FULL syncs each commit:
        # an acknowledged event must survive a power cut too. What is deleted is
        # overwritten: salts must be gone from the file.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
        " PRAGMA secure_delete=ON;",
    }
elif _engine == "postgresql":
    if find_spec("psycopg_pool") is None:
        raise ImproperlyConfigured(
            "DATABASE_URL names PostgreSQL: install krafter[postgres]"
        )
    from krafter.postgresql import Connection

    # Threads share a few connections; most of them wait for a commit.
    DATABASES["default"]["CONN_MAX_AGE"] = 0
    DATABASES["default"]["OPTIONS"] = {
        "pool": {
            "connection_class": Connection,
            "min_size": 1,
            "max_size": 8,
            "timeout": 2,
            # The pool's pauses between attempts grow; after this time it starts over.
            "reconnect_timeout": 2,
        },
        # Detect within seconds that a server is gone without closing connections.
        "connect_timeout": 2,
        "keepalives_idle": 2,
        "keepalives_interval": 1,
        "keepalives_count": 2,
        "tcp_user_timeout": 3_000,
        # Compiling a statement took 180 of the 470 ms that it ran. All rows of a cursor
        # are read: with plans for a quick first row, an answer about a small site took
        # 20 s instead of 0.03 s.
        "options": "-c jit=off -c cursor_tuple_fraction=1",
        **DATABASES["default"].get("OPTIONS", {}),
    }
    # The same database, with a pool of its own for long queries.
    DATABASES["long"] = {
        **DATABASES["default"],
        "OPTIONS": {
            **DATABASES["default"]["OPTIONS"],
            "pool": {
                **DATABASES["default"]["OPTIONS"]["pool"],
                "min_size": 0,
                "max_size": LONG_QUESTIONS,
            },
        },
        "TEST": {"MIRROR": "default"},
    }
else:
    raise ImproperlyConfigured("DATABASE_URL must name SQLite or PostgreSQL")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# A Redis server for the counts of rate limits. Without it the database counts.
CACHE_URL = env.url("CACHE_URL", ("redis", "rediss", "unix"))
if CACHE_URL and find_spec("redis") is None:
    raise ImproperlyConfigured("CACHE_URL names a Redis: install krafter[redis]")

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}", "OPTIONS": options}
    for name, options in {
        "UserAttributeSimilarityValidator": {},
        "MinimumLengthValidator": {"min_length": 10},
        "CommonPasswordValidator": {},
        "NumericPasswordValidator": {},
    }.items()
]
# A password reset link is valid for a day.
PASSWORD_RESET_TIMEOUT = 24 * 60 * 60
SESSION_ENGINE = "analytics.people.session_store"
# A session ends when it is idle for this long, and in any case after SESSION_HOURS.
SESSION_IDLE_HOURS = env.integer(
    "SESSION_IDLE_HOURS", 72, minimum=1, maximum=24 * _CENTURY
)
SESSION_HOURS = env.integer("SESSION_HOURS", 720, minimum=1, maximum=24 * _CENTURY)
# The header in which trusted proxies send the name of the signed-in user.
SIGN_IN_HEADER = env.header("SIGN_IN_HEADER")
if SIGN_IN_HEADER and not TRUSTED_PROXIES:
    raise ImproperlyConfigured("SIGN_IN_HEADER requires TRUSTED_PROXIES")

# Which users must have a second factor to use the pages and the admin.
SECOND_FACTOR = env.choice(
    "SECOND_FACTOR", "nobody", ("nobody", "operators", "everybody")
)

# The mail server for invitations and password reset links.
EMAIL_URL = env.url("EMAIL_URL", ("smtp", "smtps"))
_mail = urlsplit(EMAIL_URL)
EMAIL_HOST = _mail.hostname or ""
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = (
    unquote(_mail.username or ""),
    unquote(_mail.password or ""),
)
# smtps:// is implicit TLS; smtp:// is STARTTLS, except on the local machine.
EMAIL_USE_SSL = _mail.scheme == "smtps"
EMAIL_USE_TLS = _mail.scheme == "smtp" and EMAIL_HOST not in ("localhost", "127.0.0.1")
EMAIL_PORT = _mail.port or (465 if EMAIL_USE_SSL else 587)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.text("EMAIL_FROM", f"krafter@{EMAIL_HOST or 'localhost'}")
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
STATIC_URL = "static/"
# Served from the packages, without a collectstatic step.
WHITENOISE_USE_FINDERS = True
STORAGES = {
    "staticfiles": {"BACKEND": "krafter.static_files.HashedFilesStorage"},
}
# Users who are not signed in are redirected there, and back afterwards.
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "sites"
LOGOUT_REDIRECT_URL = "login"

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = PRODUCTION
if PRODUCTION:
    # Browsers accept cookies with this prefix only from this host and over HTTPS.
    SESSION_COOKIE_NAME = "__Host-session"
    CSRF_COOKIE_NAME = "__Host-csrf"
SECURE_HSTS_SECONDS = 31_536_000 if PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = PRODUCTION
if TRUSTED_PROXIES:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "analytics.access.authentication.TokenAuthentication"
    ],
    "DEFAULT_PERMISSION_CLASSES": ["analytics.access.authentication.HasScope"],
    "DEFAULT_THROTTLE_CLASSES": [
        "analytics.access.throttling.TeamRateThrottle",
        "analytics.questions.long_questions.LongQuestionThrottle",
    ],
    "DEFAULT_RENDERER_CLASSES": ["krafter.rendering.EnvelopeRenderer"],
    "DEFAULT_PARSER_CLASSES": ["krafter.parsing.StrictJSONParser"],
    "DEFAULT_FILTER_BACKENDS": [],
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_SCHEMA_CLASS": "krafter.openapi.schema.EnvelopeSchema",
    "EXCEPTION_HANDLER": "krafter.errors.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,
    "DATETIME_FORMAT": "%Y-%m-%dT%H:%M:%SZ",
    "COERCE_DECIMAL_TO_STRING": False,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "TEST_REQUEST_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Krafter Analytics",
    "DESCRIPTION": "Conversion goals for your sites: define which events count, and"
    " report conversions and revenue.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_SUFFIX": "",
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "EventOutcomeStatus": "analytics.ingest.answers.OUTCOMES",
        "EventType": "analytics.models.EventType.values",
        "GoalType": "goals.models.GoalType",
        "Scope": "analytics.access.tokens.SCOPES",
        "Verdict": "analytics.questions.differences.VERDICTS",
    },
    "PREPROCESSING_HOOKS": ["analytics.ingest.openapi.add_collect"],
    "POSTPROCESSING_HOOKS": [
        "goals.openapi.open_currencies",
        "drf_spectacular.hooks.postprocess_schema_enums",
        "krafter.openapi.schema.inline_null",
        "analytics.ingest.openapi.add_bodies",
        "goals.words.explain",
        "krafter.openapi.generators.complete",
    ],
    "SORT_OPERATION_PARAMETERS": False,
    "SERVERS": [{"url": "https://app.krafter.dev"}],
    "CONTACT": {"name": "Krafter Analytics", "url": "https://app.krafter.dev"},
    "LICENSE": {"name": "MIT", "identifier": "MIT"},
    "TAGS": [
        {
            "name": "goals",
            "description": "Rules that define which events count as conversions.",
        },
        {"name": "sites", "description": "The websites of a team."},
        {
            "name": "events",
            "description": "Page views, custom events and conversions of a site.",
        },
        {"name": "annotations", "description": "Notes about days of a site."},
        {"name": "saved funnels", "description": "Saved sequences of steps."},
        {
            "name": "teams",
            "description": "Export, import and erasure of all data of a team.",
        },
        {
            "name": "API keys",
            "description": "Credentials of the API, with their scopes.",
        },
        {
            "name": "audit trail",
            "description": "Records of who changed what in the team.",
        },
    ],
}


def _menu_item(title: str, icon: str, model: str) -> dict[str, Any]:
    """Return the menu item of an admin list, shown to users who may view it."""
    app, _, name = model.partition(".")

    def permission(request: HttpRequest) -> bool:
        page = admin.site.get_model_admin(apps.get_model(model))
        return page.has_view_permission(request)

    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{app}_{name}_changelist"),
        "permission": permission,
    }


UNFOLD = {
    "SITE_TITLE": "Krafter Analytics",
    "SITE_HEADER": "Krafter Analytics",
    "SITE_SYMBOL": "monitoring",
    # The owners' pages.
    "SITE_URL": "/",
    "STYLES": [lambda request: static("analytics/admin.css")],
    "SCRIPTS": [lambda request: static("analytics/admin.js")],
    "SIDEBAR": {
        "navigation": [
            {
                "title": "Analytics",
                "items": [
                    _menu_item("Sites", "language", "analytics.site"),
                    _menu_item("Goals", "flag", "goals.goal"),
                    _menu_item("Events", "bolt", "analytics.event"),
                    _menu_item("Drops", "filter_alt", "analytics.dropcount"),
                    _menu_item("API keys", "key", "analytics.apitoken"),
                ],
            },
            {
                "title": "People",
                "items": [
                    _menu_item("Teams", "groups", "analytics.team"),
                    _menu_item("Users", "person", "auth.user"),
                    _menu_item("Audit trail", "history", "analytics.auditentry"),
                ],
            },
        ]
    },
}

LOG_FORMAT = env.choice("LOG_FORMAT", "text", ("text", "json"))
LOG_LEVEL = env.choice(
    "LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {"()": "krafter.logs.TextFormatter"},
        "json": {"()": "krafter.logs.JsonFormatter"},
    },
    "filters": {
        "request_id": {"()": "krafter.request_ids.RequestIdFilter"},
        "pool": {"()": "krafter.faults.PoolFilter"},
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": LOG_FORMAT,
            "filters": ["request_id"],
        }
    },
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        # Django logs the path of each 4xx and 5xx, and a path may carry personal
        # data. What fails is logged by `krafter.errors`, without it.
        "django.request": {"level": "CRITICAL"},
        # Invalid requests, such as a wrong Host or too many form fields: a traceback
        # for each would flood the log.
        "django.security": {"level": "CRITICAL"},
        "psycopg.pool": {"filters": ["pool"]},
    },
}

# Errors are also sent to this Sentry or compatible service.
SENTRY_DSN = env.url("SENTRY_DSN", ("https", "http"))
if SENTRY_DSN:
    logs.send_to_sentry(SENTRY_DSN)
