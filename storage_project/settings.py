"""Django settings. Everything an operator may change comes from the environment or the TOML file.

`STORAGE_HOME` (default `var/`) holds all state; `STORAGE_CONFIG` is the file with backends and
repositories; `DATABASE_URL` and `BROKER_URL` move the same code from one machine to a cluster.
"""

import os
import socket
from pathlib import Path

import dj_database_url

from storage_project.logs import configure_logging
from storage_project.secrets import read_or_create_secret

BASE_DIR = Path(__file__).resolve().parent.parent
STORAGE_HOME = Path(os.environ.get("STORAGE_HOME") or BASE_DIR / "var").resolve()
STORAGE_CONFIG = Path(os.environ.get("STORAGE_CONFIG") or STORAGE_HOME / "storage.toml").resolve()
# The name of this machine in services, backends and queues; two machines never share one.
STORAGE_HOST = os.environ.get("STORAGE_HOST") or socket.gethostname().split(".")[0]
# Where clients reach the API when a proxy stands before it; by default what the request says.
STORAGE_PUBLIC_URL = os.environ.get("STORAGE_PUBLIC_URL", "").rstrip("/")
# Where browsers reach Flower; by default on its port of the host that they asked for a page.
FLOWER_URL = os.environ.get("FLOWER_URL", "").rstrip("/")
FLOWER_PORT = os.environ.get("FLOWER_PORT") or "5555"

DEBUG = False
SECRET_KEY = os.environ.get("STORAGE_SECRET_KEY") or read_or_create_secret(
    STORAGE_HOME / "secret_key"
)
ALLOWED_HOSTS = os.environ.get("STORAGE_ALLOWED_HOSTS", "*").split(",")
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
USE_X_FORWARDED_HOST = True

INSTALLED_APPS = [
    "volumes",
    "backups",
    "storage_project",
    "storage_project.operations",
    "storage_project.identity",
    "storage_project.api",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "storage_project.console.apps.ConsoleConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "storage_project.api.middleware.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
# A redirect to the same address with a slash would lose the body of a POST.
APPEND_SLASH = False

ROOT_URLCONF = "storage_project.urls"
WSGI_APPLICATION = "storage_project.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# Database: SQLite in the home folder unless DATABASE_URL names another.
DATABASES = {
    "default": dj_database_url.parse(
        os.environ.get("DATABASE_URL") or f"sqlite:///{STORAGE_HOME / 'khoi.sqlite3'}",
        conn_max_age=600,
        conn_health_checks=True,
    )
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # IMMEDIATE: a transaction that will write takes the lock at once instead of failing later.
    # FULL: what was answered with 202 survives a power cut.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;",
    }
    # A file, not memory: the tests open it from several threads and processes.
    DATABASES["default"]["TEST"] = {"NAME": STORAGE_HOME / "test.sqlite3"}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Celery: the operation row is the truth, a message is only a doorbell. So messages are
# acknowledged early, results are ignored, and the broker may lose everything.
BROKER_URL = os.environ.get("BROKER_URL") or f"redis+socket://{STORAGE_HOME / 'run/broker.sock'}"
CELERY_BROKER_URL = BROKER_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = (
    {
        "visibility_timeout": 300,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "socket_timeout": 10,
        "socket_connect_timeout": 3,
        "socket_keepalive": True,
        "health_check_interval": 15,
    }
    if BROKER_URL.startswith("redis")
    else {}
)
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = False
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_DEFAULT_QUEUE = "control"
CELERY_WORKER_SEND_TASK_EVENTS = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 4
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
# Celery closes the database connection around every task unless told not to. Never set this
# without `close_old_connections` on task_prerun (storage_project/celery.py) and the health
# checks above: alone, no task works again after the database restarts.
CELERY_DB_REUSE_MAX = 1_000_000

# The pipelines, one file each. A path that does not import stops every process at start.
PIPELINES = [
    "volumes.pipelines.create",
    "volumes.pipelines.delete",
    "volumes.pipelines.extend",
    "volumes.pipelines.revert",
    "volumes.pipelines.create_snapshot",
    "volumes.pipelines.delete_snapshot",
    "volumes.pipelines.connect",
    "volumes.pipelines.disconnect",
    "volumes.pipelines.attach",
    "volumes.pipelines.detach",
    "volumes.pipelines.extend_disk",
    "backups.pipelines.create_backup",
    "backups.pipelines.delete_backup",
    "backups.pipelines.restore_backup",
    "backups.pipelines.import_record",
    "backups.pipelines.verify_backup",
    "backups.pipelines.try_restore",
    "backups.pipelines.scrub_repository",
    "backups.pipelines.collect_repository",
]
# In how many days all of a repository is read once, to see whether it is whole; 0: never by itself.
SCRUB_DAYS = int(os.environ.get("STORAGE_SCRUB_DAYS", "30"))
# How long an operation waits for a worker while none is seen at work, before it is given up.
OPERATION_PATIENCE_S = int(os.environ.get("STORAGE_OPERATION_PATIENCE_S", "600"))
# How long ended operations, and with them the history of what they did, can be looked up.
OPERATION_RETENTION_DAYS = int(os.environ.get("STORAGE_OPERATION_RETENTION_DAYS", "90"))

AUTH_USER_MODEL = "identity.User"
AUTHENTICATION_BACKENDS = ["storage_project.identity.authentication.PasswordBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.ScryptPasswordHasher"]
TOKEN_LIFETIME_S = int(os.environ.get("STORAGE_TOKEN_LIFETIME_S", "43200"))
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/v3/volumes/detail"
SESSION_COOKIE_NAME = "khoi_session"
CSRF_COOKIE_NAME = "khoi_csrf"
SESSION_COOKIE_SAMESITE = "Lax"

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "storage_project.identity.authentication.TokenAuthentication",
        "storage_project.identity.authentication.BasicAuthentication",
        "storage_project.identity.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["storage_project.identity.policy.PolicyPermission"],
    "DEFAULT_RENDERER_CLASSES": [
        "storage_project.api.renderers.JSONRenderer",
        "storage_project.api.renderers.BrowsableAPIRenderer",
    ],
    "DEFAULT_PARSER_CLASSES": ["storage_project.api.parsers.JSONParser"],
    "EXCEPTION_HANDLER": "storage_project.api.faults.render_fault",
    "DEFAULT_SCHEMA_CLASS": "storage_project.api.schema.ResourceSchema",
    "URL_FORMAT_OVERRIDE": None,
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Khoi",
    "DESCRIPTION": "Block storage as a service: the Block Storage API v3.",
    "VERSION": "3.71",
    "SCHEMA_PATH_PREFIX": "/v3",
    "PREPROCESSING_HOOKS": ["storage_project.api.schema.keep_unscoped"],
    "GET_MOCK_REQUEST": "storage_project.api.schema.imitate_request",
    # It would print what it cannot tell of a type to the web server's log.
    "DISABLE_ERRORS_AND_WARNINGS": True,
    "APPEND_COMPONENTS": {
        "securitySchemes": {
            "token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"},
            "basic": {"type": "http", "scheme": "basic"},
        }
    },
    "SERVE_AUTHENTICATION": [],
    # The page's files come with us, nothing from another host.
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

LOGGING_CONFIG = None
configure_logging()

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True
STATIC_URL = "/static/"
STATIC_ROOT = STORAGE_HOME / "static"
