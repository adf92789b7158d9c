"""Settings of a test run: a HUB_HOME of its own, and so its own PostgreSQL, Valkey and keys, removed at the end.

Loaded before anything else of Django, in the process that starts pytest and in each of its workers.
"""

from tests.own_home import enter

enter()

from mdmhub.settings import *  # noqa: E402, F403  (the environment has to be set first)

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # logging in is not what tests wait for
CELERY_BROKER_CONNECTION_MAX_RETRIES = 1
AXES_ENABLED = False  # tests of the lock-out switch it on
