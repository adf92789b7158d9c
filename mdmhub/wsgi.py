"""WSGI entry point: `gunicorn mdmhub.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mdmhub.settings")
application = get_wsgi_application()
