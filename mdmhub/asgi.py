"""ASGI entry point, for servers that speak only that."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mdmhub.settings")
application = get_asgi_application()
