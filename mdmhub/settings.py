"""Django settings. What comes from outside is read in env.py; everything else is decided here, with its reason."""

from pathlib import Path
from typing import Any

from csp.constants import NONE, SELF

from mdmhub import embedded
from mdmhub.embedded.valkey import Valkey
from mdmhub.env import BASE_DIR, env, parse_database_url
from mdmhub.keys import load_keys
from mdmhub.logs import logging_config
from mdmhub.schedule import beat_schedule

ENV = env()
KEYS = load_keys(ENV)
DEBUG = ENV.debug
SECRET_KEY = KEYS.signing
FIELD_KEYS = KEYS.field  # Fernet keys for stored credentials: the first encrypts, all decrypt
HUB_HOME: Path = ENV.HUB_HOME
DEMO_LOGINS_ALLOWED = DEBUG
ALLOWED_HOSTS = ENV.allowed_hosts
CSRF_TRUSTED_ORIGINS = list(ENV.CSRF_TRUSTED_ORIGINS)

INSTALLED_APPS = [
    "mdmhub.apps.HubConfig",
    "apps.accounts.admin_config.HubAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "simple_history",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.idp.oidc",
    "axes",
    "csp",
    "apps.common",
    "apps.accounts",
    "apps.events",
    "apps.policies",
    "apps.customers",
    "apps.matching",
    "apps.connectors",
    "apps.stewardship",
]
MIDDLEWARE = [
    "mdmhub.middleware.CorrelationMiddleware",
    "mdmhub.health.HealthMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "mdmhub.urls"
WSGI_APPLICATION = "mdmhub.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
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

# ── Database ────────────────────────────────────────────────────────────────────────────────────────────────────────
_OPTIONS = {
    # The verbs' lock protocol counts on these: a lock that is not had in 5 s is a conflict to retry, not to wait for.
    "options": f"-c lock_timeout=5s -c statement_timeout={ENV.HUB_STATEMENT_TIMEOUT_MS}",
    # Parameters travel in binary and statements are planned once: a third less time per batch of arrays.
    "server_side_binding": True,
    "prepare_threshold": 3,
    "application_name": "mdmhub",
    "connect_timeout": 10,
}
if ENV.DATABASE_URL is None:
    _database: dict[str, Any] = {"ENGINE": "mdmhub.embedded.backend", "NAME": "hub", "OPTIONS": {}}
else:
    _database = {"ENGINE": "django.db.backends.postgresql", **parse_database_url(ENV.DATABASE_URL)}
DATABASES = {
    "default": {
        **_database,
        "OPTIONS": {**_OPTIONS, **_database["OPTIONS"]},
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
    }
}

# ── People ──────────────────────────────────────────────────────────────────────────────────────────────────────────
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"  # accounts are made by an administrator or by single sign-on, never by strangers
ACCOUNT_ALLOW_REGISTRATION = False
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_USERNAME_FORM_FIELD = "login"
AXES_VERBOSE = False
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"

# ── Machines ────────────────────────────────────────────────────────────────────────────────────────────────────────
IDP_OIDC_PRIVATE_KEY = KEYS.oidc
IDP_OIDC_ACCESS_TOKEN_EXPIRES_IN = 3600

# ── API ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "apps.accounts.authentication.BearerAuthentication",
        "apps.accounts.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["apps.accounts.authentication.MayDoOperation"],  # nobody, unless an operation allows
    "DEFAULT_PARSER_CLASSES": ["apps.common.api.parsers.JsonParser"],
    "DEFAULT_RENDERER_CLASSES": ["apps.common.api.renderers.JsonRenderer"],
    "DEFAULT_SCHEMA_CLASS": "apps.common.api.schema.HubSchema",
    "EXCEPTION_HANDLER": "apps.common.api.problems.handle",
    "URL_FORMAT_OVERRIDE": None,  # ?format= is an unknown parameter like any other
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "MDM hub",
    "DESCRIPTION": "One golden record per customer: send records, ask who they are, follow what changes.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],  # the description is no secret; what it describes is guarded
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "POSTPROCESSING_HOOKS": ["apps.common.api.schema.describe_logins"],
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "COMPONENT_SPLIT_REQUEST": True,  # what goes in may be stricter than what comes out
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "displayRequestDuration": True, "tryItOutEnabled": False},
}
IDEMPOTENCY_HOURS = 48
"""How long the answer to a call with an Idempotency-Key is given again; after that the key is free."""
# ── Other systems ───────────────────────────────────────────────────────────────────────────────────────────────────
# Addresses inside a private network are refused for connections unless they are named. With debug on, the sandbox systems
# of this machine may be reached.
OUTBOUND_ALLOWED_HOSTS = frozenset(ENV.OUTBOUND_ALLOWED_HOSTS) | (frozenset({"127.0.0.1"}) if DEBUG else frozenset())
AFTER_RELAY = (("apps.connectors.tasks.plan", "interactive"),)
"""Tasks rung for when the change feed has grown, each with its lane."""
# ── end of API ──────────────────────────────────────────────────────────────────────────────────────────────────────

# ── History ─────────────────────────────────────────────────────────────────────────────────────────────────────────
# History rows are written by apps.customers.store in the transaction of the change; the library's post-save writer
# would write a second one.
SIMPLE_HISTORY_ENABLED = False
SIMPLE_HISTORY_DATE_INDEX = False  # as-of reads go by customer and version

# ── Browser ─────────────────────────────────────────────────────────────────────────────────────────────────────────
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
        "base-uri": [NONE],
        "object-src": [NONE],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
STATIC_URL = "static/"
STATIC_ROOT = None if DEBUG else HUB_HOME / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = DEBUG  # a laptop needs no collectstatic
WHITENOISE_AUTOREFRESH = DEBUG
_STATIC = "django.contrib.staticfiles.storage.StaticFilesStorage"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": _STATIC if DEBUG else "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
MEDIA_ROOT = HUB_HOME / "files"
CHECKPOINT_FILE = HUB_HOME / "audit" / "checkpoints.ndjson"  # signed roots of the audit, outside the database
MAX_UPLOAD_BYTES = ENV.MAX_UPLOAD_BYTES
FILE_UPLOAD_HANDLERS = [
    "apps.stewardship.upload_limit.LimitedUpload",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]
UPLOAD_DAYS = 30
"""How long an uploaded file is kept whose run failed, and may be resumed, or that no run was made of."""
FILE_UPLOAD_PERMISSIONS = 0o600
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o700

HTTPS = not DEBUG and ENV.HUB_HTTPS
SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
if HTTPS:
    SESSION_COOKIE_NAME = "__Host-session"
    CSRF_COOKIE_NAME = "__Host-csrf"
if ENV.HUB_BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# ── Language and time ───────────────────────────────────────────────────────────────────────────────────────────────
LANGUAGE_CODE = "en"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

# ── Work in the background ──────────────────────────────────────────────────────────────────────────────────────────
# The broker is a doorbell: a message says "look again" and carries nothing, the tables hold the truth. So a lost or
# doubled message is harmless, and publishing fails fast instead of holding up the write it follows.
CELERY_BROKER_URL = ENV.BROKER_URL or Valkey(embedded.home(ENV)).url()
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 240,  # above the hard time limit, else a running task is started a second time
    "unacked_restore_interval": 1,  # together: messages of a killed worker come back 1 s after the visibility
    "unacked_restore_throttle": 1,  # timeout, not up to 100 s later
    "socket_timeout": 30,
    "socket_connect_timeout": 2,
    "max_retries": 1,
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_PUBLISH_RETRY = False
CELERY_RESULT_BACKEND = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_TIME_LIMIT = 180
CELERY_TASK_SOFT_TIME_LIMIT = 120
DRAIN_SECONDS = 45
"""A drain task ends by itself after this time and rings again, so that it never meets a time limit."""
CELERY_TASK_DEFAULT_QUEUE = "interactive"
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_ENABLE_UTC = True
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE = beat_schedule()
CELERY_BEAT_SCHEDULE_FILENAME = str(HUB_HOME / "beat-schedule")
CELERY_BEAT_MAX_LOOP_INTERVAL = 1

LOGGING = logging_config(ENV.log_format, ENV.HUB_LOG_LEVEL)
