"""Settings of the whole installation, all of them from the environment.

docs/operations.md lists every variable with its meaning and default.
"""

import secrets
import tempfile
from importlib.util import find_spec
from typing import Any

import dj_database_url
from django.core.exceptions import ImproperlyConfigured
from django.urls import reverse_lazy

from krafter import env, installation, logs

DATA_DIR = installation.data_dir()
PRODUCTION = env.flag("PRODUCTION")
DEBUG = env.flag("DEBUG")
if DEBUG and PRODUCTION:
    raise ImproperlyConfigured("DEBUG shows secrets to visitors: not with PRODUCTION")


def _make_data_dir() -> None:
    try:
        DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=DATA_DIR):
            pass
    except OSError as error:
        raise ImproperlyConfigured(
            f"DATA_DIR cannot be written: {error.strerror}: {DATA_DIR}"
        ) from None


def _secret_key() -> str:
    """The configured key, or outside production one made once and kept."""
    if PRODUCTION:
        return env.secret("SECRET_KEY")
    if configured := env.text("SECRET_KEY"):
        return configured
    path = DATA_DIR / "secret_key"
    if not path.exists():
        # Exclusive creation: of two processes starting at once, one makes it.
        try:
            with path.open("x") as file:
                path.chmod(0o600)
                file.write(secrets.token_urlsafe(50))
        except FileExistsError:
            pass
    return path.read_text()


_make_data_dir()
SECRET_KEY = _secret_key()
ALLOWED_HOSTS = env.listing(
    "ALLOWED_HOSTS", "" if PRODUCTION else "localhost,127.0.0.1,[::1]"
)
if not ALLOWED_HOSTS:
    raise ImproperlyConfigured("ALLOWED_HOSTS must be set")
CSRF_TRUSTED_ORIGINS = env.listing("CSRF_TRUSTED_ORIGINS")

# Requests a minute; 0 turns a limit off.
RATE_LIMIT_API = env.integer("RATE_LIMIT_API", 100)
RATE_LIMIT_COLLECT = env.integer("RATE_LIMIT_COLLECT", 200)
# Whether workers count days that are over before somebody asks for them.
COUNT_AHEAD = env.flag("COUNT_AHEAD", default=True)
# Only these may say in X-Forwarded-For or Forwarded who the client is.
TRUSTED_PROXIES = env.networks("TRUSTED_PROXIES")
# How many bits of an IPv6 address stand for one client.
IPV6_PREFIX = env.integer("IPV6_PREFIX", 64, minimum=1)
if IPV6_PREFIX > 128:
    raise ImproperlyConfigured("IPV6_PREFIX must be at most 128")

# Seconds that a client gets: for a request's head, or for doing nothing; for a
# body; and to take a part of an answer. It is what a slow phone needs, and what
# a stranger may keep us waiting.
HEAD_SECONDS = env.integer("HEAD_SECONDS", 20, minimum=1)
BODY_SECONDS = env.integer("BODY_SECONDS", 10, minimum=1)
SEND_SECONDS = env.integer("SEND_SECONDS", 30, minimum=1)
# How many bodies of one client may be unfinished; proxies are exempt.
UNFINISHED_BODIES = env.integer("UNFINISHED_BODIES", 50, minimum=1)
# Threads of a worker for all that is not the tracker's.
THREADS = env.integer("THREADS", 16, minimum=1)
WORKERS = env.integer("WORKERS", 1, minimum=1)

# Who may read /metrics: with this key as a Bearer token, or from these addresses.
METRICS_KEY = env.text("METRICS_KEY")
METRICS_NETWORKS = env.networks("METRICS_NETWORKS")

# A country database in MaxMind's format, in place of the built-in table.
GEOIP_DATABASE = env.text("GEOIP_DATABASE")
# The header in which trusted proxies send the country, for example CF-IPCountry.
COUNTRY_HEADER = env.header("COUNTRY_HEADER")
if COUNTRY_HEADER and not TRUSTED_PROXIES:
    raise ImproperlyConfigured("COUNTRY_HEADER requires TRUSTED_PROXIES")

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
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
    "analytics",
    "goals",
]
MIDDLEWARE = [
    "krafter.request_ids.RequestIdMiddleware",
    "krafter.metrics.QuestionTimesMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "analytics.access.throttling.RateLimitHeadersMiddleware",
    "krafter.watch.DatabaseMiddleware",
    "krafter.caching.CachingMiddleware",
    "krafter.errors.JsonErrorMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "krafter.urls"
# Forms alone come here, and none has a file: what is sent as one is not kept.
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
            ]
        },
    }
]


def _database(url: str) -> Any:
    try:
        return dj_database_url.parse(url, conn_max_age=600, conn_health_checks=True)
    # Whatever it finds: its errors would quote the password.
    except Exception:
        raise ImproperlyConfigured(
            "DATABASE_URL must be like postgres://user:password@host/name"
            " or sqlite:////path"
        ) from None


DATABASES = {
    "default": _database(
        env.text("DATABASE_URL", f"sqlite:///{DATA_DIR / 'krafter.sqlite3'}")
    )
}
_engine = DATABASES["default"]["ENGINE"].rpartition(".")[2]
if _engine == "sqlite3":
    DATABASES["default"]["OPTIONS"] = {
        # A write that begins as a read cannot be retried by SQLite's own
        # busy handler; IMMEDIATE queues writers instead of failing them.
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        # WAL lets readers go on while one writes. FULL syncs each commit:
        # an acknowledged event must survive a power cut too.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
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
            # Then it begins again, without the pauses that it makes ever longer.
            "reconnect_timeout": 2,
        },
        # A server that is gone without a word is given up within seconds.
        "connect_timeout": 2,
        "keepalives_idle": 2,
        "keepalives_interval": 1,
        "keepalives_count": 2,
        "tcp_user_timeout": 3_000,
        # Compiling a statement took 180 ms, where it took 470 to run.
        "options": "-c jit=off",
        **DATABASES["default"].get("OPTIONS", {}),
    }
else:
    raise ImproperlyConfigured("DATABASE_URL must name SQLite or PostgreSQL")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# One Redis for all processes; without it each has a memory of its own, and
# what must be shared is kept in the database.
SHARED_CACHE = bool(env.url("CACHE_URL", ("redis", "rediss", "unix")))
if SHARED_CACHE:
    if find_spec("redis") is None:
        raise ImproperlyConfigured("CACHE_URL names a Redis: install krafter[redis]")
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": env.text("CACHE_URL"),
        }
    }

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
STATIC_URL = "static/"
# Served straight from the packages: no collectstatic step to forget.
WHITENOISE_USE_FINDERS = True

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = PRODUCTION
SECURE_HSTS_SECONDS = 31_536_000 if PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = PRODUCTION
if TRUSTED_PROXIES:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "analytics.access.authentication.TokenAuthentication"
    ],
    "DEFAULT_PERMISSION_CLASSES": ["analytics.access.authentication.HasScope"],
    "DEFAULT_THROTTLE_CLASSES": ["analytics.access.throttling.TeamRateThrottle"],
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
    "DESCRIPTION": "Conversion goals for your sites: what counts, and how much.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_SUFFIX": "",
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "Currency": "goals.models.currency_choices",
        "EventOutcomeStatus": "analytics.ingest.answers.OUTCOMES",
        "EventType": "analytics.models.EventType.values",
        "GoalType": "goals.models.GoalType",
        "Scope": "analytics.access.tokens.SCOPES",
    },
    "PREPROCESSING_HOOKS": ["analytics.ingest.openapi.add_collect"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "krafter.openapi.schema.inline_null",
        "analytics.ingest.openapi.add_bodies",
    ],
}


def _menu_item(title: str, icon: str, model: str) -> dict[str, Any]:
    """A list in the admin, for those who may look at it."""
    app, _, name = model.partition(".")
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{app}_{name}_changelist"),
        "permission": lambda request: (
            request.user.has_perm(f"{app}.view_{name}")
            or request.user.has_perm(f"{app}.change_{name}")
        ),
    }


UNFOLD = {
    "SITE_TITLE": "Krafter Analytics",
    "SITE_HEADER": "Krafter Analytics",
    "SITE_SYMBOL": "monitoring",
    "SITE_URL": None,
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
                    _menu_item("Groups", "verified_user", "auth.group"),
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
        # Anyone may send any Host: a trace for each would be the whole log.
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        "psycopg.pool": {"filters": ["pool"]},
    },
}

# Where errors are sent beside the log: a Sentry, or what speaks its language.
SENTRY_DSN = env.url("SENTRY_DSN", ("https", "http"))
if SENTRY_DSN:
    logs.send_to_sentry(SENTRY_DSN)
