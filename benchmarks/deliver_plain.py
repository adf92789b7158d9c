"""The peer of benchmarks/deliver.py: one Celery task for each record, as it is mostly written. Not part of the hub."""

import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mdmhub.settings")
import django

django.setup()

import urllib3
from celery import Celery
from django.conf import settings

from apps.customers.models import Customer, Link

app = Celery("plain", broker=settings.CELERY_BROKER_URL)
app.conf.update(
    task_acks_late=True, worker_prefetch_multiplier=4, task_ignore_result=True, task_default_queue="interactive"
)
http = urllib3.PoolManager(maxsize=64)


@app.task(name="plain.tell")
def tell(link_id: str) -> None:
    """Reads the customer, tells the target, writes down that it did."""
    link = Link.objects.select_related("source_record").get(id=link_id)
    customer = Customer.objects.get(id=link.source_record.customer_id)
    answer = http.request(
        "PATCH", f"{os.environ['PLAIN_URL']}/services/data/v62.0/sobjects/Account/{link.external_id}",
        json={"LastName": customer.family_name, "BillingCity": "Bonn", "MDM_Version__c": customer.version},
        headers={"Authorization": f"Bearer {os.environ['PLAIN_KEY']}"},
    )  # fmt: skip
    assert answer.status < 300, answer.data
    Link.objects.filter(id=link.id).update(etag="told")


if __name__ == "__main__":
    for id_ in Link.objects.filter(system__code="crm").values_list("id", flat=True)[: int(sys.argv[1])]:
        tell.apply_async((str(id_),))
