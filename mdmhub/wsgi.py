"""WSGI entry point: `gunicorn mdmhub.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application
from django.urls import resolve

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mdmhub.settings")
application = get_wsgi_application()
resolve("/")  # reads all views now, once for all processes that are made of this one, not at the first call of each
